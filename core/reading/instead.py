"""What to write instead of a module or function that the lab has no op for."""

from __future__ import annotations

WHAT_THERE_IS = "the lab has Conv2d, Linear, norms, activations, dropout and pools"
LEAVE_OUT = "leave it out, or use the functions of torch.nn.functional for pools, activations and dropout"
_ORDER = "keep the axes in torch's order: batch, channels, height, width"
_ENLARGE = "leave it out: the lab's networks do not enlarge maps"
_ZEROS = "give the convolution padding=1, which pads with zeros"
_SEQUENCE = "leave it out: an image is no sequence; write nn.Conv2d, or nn.Flatten and nn.Linear"
_SIMPLE = "leave it out, or write one of the lab's activations: F.relu(x)"
_PARTS = "leave it out: the lab's ops take whole maps; side by side are torch.cat([f(x), g(x)], 1)"

_MODULES = {
    "ConvTranspose1d ConvTranspose2d Upsample UpsamplingNearest2d UpsamplingBilinear2d PixelShuffle Fold MaxUnpool2d": (
        _ENLARGE
    ),
    "ReflectionPad2d ReplicationPad2d CircularPad2d ConstantPad2d": _ZEROS,
    "LSTM GRU RNN LSTMCell GRUCell MultiheadAttention Embedding": _SEQUENCE,
    "Transformer TransformerEncoder TransformerEncoderLayer": _SEQUENCE,
    "Conv1d Conv3d": "write nn.Conv2d",
    "MaxPool1d MaxPool3d LPPool2d FractionalMaxPool2d": "write nn.MaxPool2d(2)",
    "AvgPool1d AvgPool3d AdaptiveAvgPool3d": "write nn.AvgPool2d(2) or nn.AdaptiveAvgPool2d(1)",
    "BatchNorm3d InstanceNorm1d InstanceNorm3d LocalResponseNorm CrossMapLRN2d RMSNorm": "write nn.BatchNorm2d",
    "PixelUnshuffle Unfold": "write nn.Conv2d with stride=2, or nn.MaxPool2d(2)",
    "Dropout3d": "write nn.Dropout2d",
    "Bilinear": "write nn.Linear",
}
_FUNCTIONS = {
    "permute transpose swapaxes movedim": _ORDER,
    "interpolate upsample conv_transpose2d pixel_shuffle repeat_interleave fold": _ENLARGE,
    "einsum matmul bmm mm tensordot scaled_dot_product_attention": "write nn.Linear or nn.Conv2d",
    "chunk split tensor_split unbind narrow select index_select gather roll flip stack unfold": _PARTS,
    "abs exp sqrt rsqrt square pow sin cos sign where": _SIMPLE,
    "softsign celu rrelu logsigmoid tanhshrink hardshrink softshrink": _SIMPLE,
    "normalize norm std var": "make a nn.BatchNorm2d in __init__ and call it",
    "batch_norm": "make a nn.BatchNorm2d in __init__ and call it",
    "instance_norm": "make a nn.InstanceNorm2d in __init__ and call it",
    "layer_norm": "make a nn.LayerNorm in __init__ and call it",
    "group_norm": "make a nn.GroupNorm in __init__ and call it",
    "local_response_norm": "make a nn.BatchNorm2d in __init__ and call it",
    "conv2d conv1d": "make a nn.Conv2d in __init__ and call it",
    "linear": "make a nn.Linear in __init__ and call it",
    "prelu": "make a nn.PReLU in __init__ and call it",
    "alpha_dropout": "write F.dropout",
    "lp_pool2d max_pool1d fractional_max_pool2d": "write F.max_pool2d(x, 2)",
    "avg_pool1d": "write F.avg_pool2d(x, 2) or x.mean([2, 3])",
    "argmax topk one_hot": "return the ten outputs; the lab takes the largest itself",
}
_OTHERS = {
    "weight_norm spectral_norm": "write the layer without it",
    "resnet18 resnet34 resnet50 vgg16 mobilenet_v2 create_model": "paste the class of a network of your own",
}
MODULES, FUNCTIONS, OTHERS = (
    {name: what for names, what in table.items() for name in names.split()} for table in (_MODULES, _FUNCTIONS, _OTHERS)
)

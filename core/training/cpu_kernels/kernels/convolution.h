// Convolution: forward, and the gradients by its input and by its weights. A linear layer is one of 1 x 1.

typedef struct {
  int count, in[MOST_TAPS], weight[MOST_TAPS];  // offsets of pixels, and indices into the kernel
} Taps;

// out[c][v] = bias[c] + sum over channels r and taps t of weight[r][t][c] * in[r][t][v]: a block in registers.
#define BLOCK(C, V)                                                                                                  \
  static void block_##C##_##V(const real *in, long in_step, int channels, const Taps *taps, const real *weight,      \
                              long weight_step, const real *bias, real *out, long out_step) {                        \
    vec sum[C][V];                                                                                                   \
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++) sum[c][v] = splat(bias ? bias[c] : 0);     \
    for (int r = 0; r < channels; r++, in += in_step, weight += weight_step)                                         \
      for (int t = 0; t < taps->count; t++) {                                                                        \
        const vec *x = (const vec *)(in + taps->in[t]);                                                              \
        const real *w = weight + taps->weight[t] * C;                                                                \
        UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++) sum[c][v] += splat(w[c]) * x[v];       \
      }                                                                                                              \
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++)((vec *)(out + c * out_step))[v] = sum[c][v]; \
  }
#define BLOCKS(V) BLOCK(1, V) BLOCK(2, V) BLOCK(3, V) BLOCK(4, V) BLOCK(5, V) BLOCK(6, V)
BLOCKS(1)
BLOCKS(2)
#if COLUMNS == 4
BLOCKS(4)
#endif
typedef void (*Block)(const real *, long, int, const Taps *, const real *, long, const real *, real *, long);
static const Block blocks[][6] = {
    {block_1_1, block_2_1, block_3_1, block_4_1, block_5_1, block_6_1},
    {block_1_2, block_2_2, block_3_2, block_4_2, block_5_2, block_6_2},
#if COLUMNS == 4
    {block_1_4, block_2_4, block_3_4, block_4_4, block_5_4, block_6_4},
#endif
};

static inline int parts_of(int channels) { return (channels + ROWS - 1) / ROWS; }
static inline int part_begin(int channels, int part) { return channels * part / parts_of(channels); }

// One pixel of the outputs [begin, end), all images: `weight` is packed for these channels.
static void pixel(const real *in, long in_step, int channels, const Taps *taps, const real *weight, int kernel,
                  const real *bias, int rows, real *out, long out_step, int images) {
  for (int v = 0; v < images;) {
    int left = images - v, size = left >= 4 && COLUMNS == 4 ? 4 : left >= 2 ? 2 : 1;
    blocks[size == 4 ? 2 : size - 1][rows - 1](in + v * LANES, in_step, channels, taps, weight, (long)kernel * rows,
                                               bias, out + v * LANES, out_step);
    v += size;
  }
}

// The weights of a group with the channels of a block side by side, group by group. `out_step`, `in_step`: from one
// output channel of the convolution that is computed, or from one input channel of it, to the next.
static void pack(const real *weight, int groups, int outs, long out_step, int ins, long in_step, int kernel, real *packed) {
  for (int group = 0; group < groups; group++, weight += (long)outs * ins * kernel)
    for (int part = 0; part < parts_of(outs); part++) {
      int begin = part_begin(outs, part), rows = part_begin(outs, part + 1) - begin;
      for (int r = 0; r < ins; r++)
        for (int k = 0; k < kernel; k++)
          for (int c = 0; c < rows; c++) *packed++ = weight[(begin + c) * out_step + r * in_step + k];
    }
}

// One pixel of all outputs, all images.
static void at_pixel(int groups, const real *in, long in_step, int ins, const Taps *taps, const real *packed, int kernel,
                     const real *bias, real *out, long out_step, int outs, int images) {
  for (int group = 0; group < groups; group++)
    for (int part = 0; part < parts_of(outs); part++) {
      int begin = part_begin(outs, part), rows = part_begin(outs, part + 1) - begin, channel = group * outs + begin;
      pixel(in + group * ins * in_step, in_step, ins, taps, packed + (long)channel * ins * kernel, kernel,
            bias ? bias + channel : 0, rows, out + channel * out_step, out_step, images);
    }
}

typedef struct {
  int kernel, ins, outs;      // taps; input and output channels of a group
  long n, in_step, out_step;  // values of a pixel, of an input channel and of an output channel
} Sizes;

static Sizes sizes_of(const Stage *stage, const Share *share) {
  long n = (long)share->images * LANES;
  return (Sizes){stage->kernel_height * stage->kernel_width, stage->channels / stage->groups,
                 stage->out_channels / stage->groups, n, n * stage->height * stage->width,
                 n * stage->out_height * stage->out_width};
}

static void convolve(const Stage *stage, const Share *share, const real *in, real *out) {
  Sizes sizes = sizes_of(stage, share);
  pack(stage->weight, stage->groups, sizes.outs, (long)sizes.ins * sizes.kernel, sizes.ins, sizes.kernel, sizes.kernel,
       share->scratch);
  Taps taps;
  for (int y = 0; y < stage->out_height; y++)
    for (int x = 0; x < stage->out_width; x++) {
      taps.count = 0;
      for (int ky = 0; ky < stage->kernel_height; ky++)
        for (int kx = 0; kx < stage->kernel_width; kx++) {
          int at_y = y * stage->stride + ky * stage->dilation - stage->padding;
          int at_x = x * stage->stride + kx * stage->dilation - stage->padding;
          if (at_y < 0 || at_y >= stage->height || at_x < 0 || at_x >= stage->width) continue;
          taps.in[taps.count] = (int)((at_y * stage->width + at_x) * sizes.n);
          taps.weight[taps.count++] = ky * stage->kernel_width + kx;
        }
      at_pixel(stage->groups, in, sizes.in_step, sizes.ins, &taps, share->scratch, sizes.kernel, stage->bias,
               out + (long)(y * stage->out_width + x) * sizes.n, sizes.out_step, sizes.outs, share->images);
    }
}

// The gradient by the input: a convolution again, of the output's gradient, in which channels change places.
static void convolve_back(const Stage *stage, const Share *share, const real *out_gradient, real *in_gradient) {
  Sizes sizes = sizes_of(stage, share);
  pack(stage->weight, stage->groups, sizes.ins, sizes.kernel, sizes.outs, (long)sizes.ins * sizes.kernel, sizes.kernel,
       share->scratch);
  Taps taps;
  for (int y = 0; y < stage->height; y++)
    for (int x = 0; x < stage->width; x++) {
      taps.count = 0;
      for (int ky = 0; ky < stage->kernel_height; ky++)
        for (int kx = 0; kx < stage->kernel_width; kx++) {
          int from_y = y + stage->padding - ky * stage->dilation, from_x = x + stage->padding - kx * stage->dilation;
          if (from_y < 0 || from_x < 0 || from_y % stage->stride || from_x % stage->stride) continue;
          int out_y = from_y / stage->stride, out_x = from_x / stage->stride;
          if (out_y >= stage->out_height || out_x >= stage->out_width) continue;
          taps.in[taps.count] = (int)((out_y * stage->out_width + out_x) * sizes.n);
          taps.weight[taps.count++] = ky * stage->kernel_width + kx;
        }
      at_pixel(stage->groups, out_gradient, sizes.out_step, sizes.outs, &taps, share->scratch, sizes.kernel, 0,
               in_gradient + (long)(y * stage->width + x) * sizes.n, sizes.in_step, sizes.ins, share->images);
    }
}

// sum[c][k] += out_gradient[c] * in[k], over `steps` pixels of a row and all images: a block in registers.
#define CORNERS(C, K)                                                                                              \
  static void corner_##C##_##K(vec *sums, long sum_step, const real *out_gradient, long out_step, const real *in,  \
                               long tap_step, int steps, long in_stride, int images) {                             \
    vec sum[C][K];                                                                                                 \
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int k = 0; k < K; k++) sum[c][k] = sums[c * sum_step + k];      \
    for (int s = 0; s < steps; s++, in += in_stride, out_gradient += (long)images * LANES)                         \
      for (int v = 0; v < images; v++) {                                                                           \
        vec x[K];                                                                                                  \
        UNROLL for (int k = 0; k < K; k++) x[k] = ((const vec *)(in + k * tap_step))[v];                           \
        UNROLL for (int c = 0; c < C; c++) {                                                                       \
          vec g = ((const vec *)(out_gradient + c * out_step))[v];                                                 \
          UNROLL for (int k = 0; k < K; k++) sum[c][k] += g * x[k];                                                \
        }                                                                                                          \
      }                                                                                                            \
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int k = 0; k < K; k++) sums[c * sum_step + k] = sum[c][k];      \
  }
#define CORNERS_OF(K) CORNERS(1, K) CORNERS(2, K) CORNERS(3, K)
CORNERS_OF(1)
CORNERS_OF(2)
CORNERS_OF(3)
#if CORNER == 6
#define MORE_CORNERS_OF(K) CORNERS(4, K) CORNERS(5, K) CORNERS(6, K)
MORE_CORNERS_OF(1)
MORE_CORNERS_OF(2)
MORE_CORNERS_OF(3)
#define LARGE(K) , corner_4_##K, corner_5_##K, corner_6_##K
#else
#define LARGE(K)
#endif
typedef void (*Corner)(vec *, long, const real *, long, const real *, long, int, long, int);
static const Corner corners[3][CORNER] = {
    {corner_1_1, corner_2_1, corner_3_1 LARGE(1)},
    {corner_1_2, corner_2_2, corner_3_2 LARGE(2)},
    {corner_1_3, corner_2_3, corner_3_3 LARGE(3)},
};

static int at_least(int value, int least) { return value < least ? least : value; }
static int at_most(int value, int most) { return value > most ? most : value; }

// The range of output columns whose tap kx lies on the map: *begin up to *end.
static void columns_of(const Stage *stage, int kx, int *begin, int *end) {
  int shift = kx * stage->dilation - stage->padding;  // in column = out column * stride + shift
  *begin = at_least((-shift + stage->stride - 1) / stage->stride, 0);
  if (shift >= 0) *begin = 0;
  int room = stage->width - 1 - shift;
  *end = room < 0 ? 0 : at_most(room / stage->stride + 1, stage->out_width);
}

// A row of a kernel, for some output channels, from the output columns [x, to) of one row.
static void corner(const Stage *stage, int images, vec *sums, long sum_step, const real *out_gradient, long out_step,
                   const real *row, int rows, int x, int to) {
  long n = (long)images * LANES, tap_step = stage->dilation * n, stride = stage->stride * n;
  for (int kx = 0; kx < stage->kernel_width; kx += 3) {
    int taps = at_most(stage->kernel_width - kx, 3), begins[3], ends[3], begin = x, end = to;
    for (int k = 0; k < taps; k++) {
      columns_of(stage, kx + k, &begins[k], &ends[k]);
      begins[k] = at_least(begins[k], x), ends[k] = at_most(ends[k], to);
      begin = at_least(begins[k], begin), end = at_most(ends[k], end);
    }
    if (begin >= end) begin = end = to;  // no column has all of these taps
    const real *in = row + ((long)kx * stage->dilation - stage->padding) * n;
    corners[taps - 1][rows - 1](sums + kx, sum_step, out_gradient + begin * n, out_step, in + begin * stride, tap_step,
                                end - begin, stride, images);
    for (int k = 0; k < taps; k++)  // the columns at the edges, tap by tap
      for (int side = 0; side < 2; side++) {
        int from = side ? at_least(end, begins[k]) : begins[k], until = side ? ends[k] : at_most(begin, ends[k]);
        if (from < until)
          corners[0][rows - 1](sums + kx + k, sum_step, out_gradient + from * n, out_step, in + from * stride + k * tap_step,
                               tap_step, until - from, stride, images);
      }
  }
}

static void weight_gradients(const Stage *stage, const Share *share, const real *in, const real *out_gradient, real *sums) {
  Sizes sizes = sizes_of(stage, share);
  int images = share->images, wide = stage->kernel_width, kernel = sizes.kernel;
  int group_in = sizes.ins, group_out = sizes.outs;
  long n = sizes.n, in_step = sizes.in_step, out_step = sizes.out_step;
  long weights = (long)stage->out_channels * group_in * kernel;
  vec *lanes = (vec *)share->scratch;
  for (long w = 0; w < weights; w++) lanes[w] = (vec){};
  // What is read again and again stays in a cache: some input channels in the second, some columns in the first.
  int near = at_least((int)(SECOND_CACHE / (sizeof(real) * in_step)), 1);
  int wide_tile = at_least((int)(FIRST_CACHE / (CORNER * sizeof(real) * n)), 1);
  for (int group = 0; group < stage->groups; group++)
    for (int first = 0; first < group_in; first += near)
      for (int c = 0; c < group_out; c += CORNER)
        for (int y = 0; y < stage->out_height; y++)
          for (int x = 0; x < stage->out_width; x += wide_tile)
            for (int r = first; r < at_most(first + near, group_in); r++)
              for (int ky = 0; ky < stage->kernel_height; ky++) {
                int at_y = y * stage->stride + ky * stage->dilation - stage->padding;
                if (at_y < 0 || at_y >= stage->height) continue;
                int channel = group * group_out + c;
                corner(stage, images, lanes + (((long)channel * group_in + r) * stage->kernel_height + ky) * wide,
                       (long)group_in * kernel, out_gradient + channel * out_step + (long)y * stage->out_width * n, out_step,
                       in + (group * group_in + r) * in_step + (long)at_y * stage->width * n, at_most(group_out - c, CORNER),
                       x, at_most(x + wide_tile, stage->out_width));
              }
  for (long w = 0; w < weights; w++) sums[w] = total(lanes[w]);
  if (stage->bias)
    for (int c = 0; c < stage->out_channels; c++) {
      vec sum = {};
      for (long i = 0; i < out_step / LANES; i++) sum += ((const vec *)(out_gradient + c * out_step))[i];
      sums[weights + c] = total(sum);
    }
}

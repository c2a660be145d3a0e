"""What people have from elsewhere: files of weights and ONNX files, brought onto the lab's networks."""

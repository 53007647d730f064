"""ONNX files to `Graph`: quantized models in QDQ form, turned to channels last."""

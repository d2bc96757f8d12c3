"""Models for use elsewhere: ONNX, TorchScript and PT2 files, and the Hugging Face hub."""

"""Models for use elsewhere: safetensors, ONNX, TorchScript and PT2 files, and the Hugging Face hub."""

"""Files and console: atomic writes, image decoding, output. Nothing here imports torch."""

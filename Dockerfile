# vae-lightning in a container:
#   docker build -t vae-lightning .                                     # CPU
#   docker build -t vae-lightning --build-arg TORCH=cu128 .             # NVIDIA GPUs: a CUDA version of PyTorch's index
#   docker run -v "$PWD:/work" vae-lightning train model=vae data=digits
#   docker run --gpus all -v "$PWD:/work" vae-lightning train data=mnist trainer.accelerator=gpu
FROM python:3.12-slim
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
RUN pip install "torch>=2.6" "torchvision>=0.21" --index-url "https://download.pytorch.org/whl/${TORCH}"
COPY pyproject.toml README.md LICENSE CHANGELOG.md CITATION.cff train.py /src/
COPY conf /src/conf
COPY hydra_plugins /src/hydra_plugins
COPY vae_lightning /src/vae_lightning
RUN pip install "/src[report,onnx]"
WORKDIR /work
ENTRYPOINT ["vae-lightning"]
CMD ["--help"]

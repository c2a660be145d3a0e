# syntax=docker/dockerfile:1
# The lab in a container, for a class: compose.yaml puts a proxy with TLS in front of it.
#   docker build -t architecture-lab .                            trains on the CPU
#   docker build -t architecture-lab --build-arg TORCH=cu130 .    on an NVIDIA GPU; then run it with --gpus all
FROM python:3.13-slim

ARG TORCH=cpu
WORKDIR /opt/architecture-lab
COPY requirements.txt ./
RUN pip install --no-cache-dir --extra-index-url "https://download.pytorch.org/whl/${TORCH}" -r requirements.txt

COPY streamlit_app.py ./
COPY .streamlit/config.toml .streamlit/icon.png .streamlit/
COPY static static
COPY checkpoints checkpoints
COPY pages pages
COPY core core
COPY lab lab

# Runs, drawings and data sets are in volumes: they outlive the container. The app writes plotly.js into static/.
RUN useradd --create-home lab && mkdir -p /var/lib/lab/runs /var/lib/lab/data && chown -R lab:lab /var/lib/lab static
USER lab
ENV LAB_HOME=/var/lib/lab/runs LAB_DATA=/var/lib/lab/data \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 STREAMLIT_SERVER_PORT=8501
VOLUME ["/var/lib/lab/runs", "/var/lib/lab/data"]
EXPOSE 8501

# Whether the app answers. /health says more, and 503 where a part is not well, such as before MNIST is downloaded.
HEALTHCHECK --interval=30s --start-period=60s --timeout=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8501/_stcore/health', timeout=5)"]

CMD ["streamlit", "run", "streamlit_app.py"]

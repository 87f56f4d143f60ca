# exectrail's image: one static binary, and a second name for it.
#
#   docker build -t exectrail .        compiles exectrail, in the stage `compiled`
#   cargo xtask image                  takes the binary that `cargo xtask build --release` made
#                                      (stage `prebuilt`), also for another architecture
#
# Both give the same image, but each binary has the C library of the system that linked it.

ARG RUST_IMAGE=docker.io/library/rust:1.95-slim-trixie

# What the stage `prebuilt` and the last stage have in common.
FROM scratch AS image
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="exectrail" \
      org.opencontainers.image.description="Records every program executed in a Kubernetes workspace, one JSON line per exec" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="https://github.com/exectrail/exectrail" \
      org.opencontainers.image.documentation="https://github.com/exectrail/exectrail/blob/main/docs/deploy.md" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# Kubernetes gives added capabilities to user 0 only. With any other user here, a sidecar that sets
# capabilities but no runAsUser would have none. A container of this image that needs no privilege
# (`exectrail install`) runs as any user.
USER 0:0
ENTRYPOINT ["/usr/bin/exectrail"]

# The build context is the image's root directory.
FROM image AS prebuilt
COPY . /

# The build context is this repository.
FROM ${RUST_IMAGE} AS compiled
# bpf-linker is linked with rustc's LLVM, which is written in C++.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /exectrail
COPY . .
# Templates for exectrace call the program at /opt/exectrace.
RUN cargo xtask build --release \
 && mkdir -p /image/usr/bin /image/opt \
 && cp target/*-unknown-linux-gnu/release/exectrail /image/usr/bin/ \
 && ln -s ../usr/bin/exectrail /image/opt/exectrace

FROM image
COPY --from=compiled /image/ /

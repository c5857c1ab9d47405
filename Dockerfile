# The command line in a container: docs/docker.md says how to use it.
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS build
# Extras of setup.cfg, such as serve,export.
ARG EXTRAS=serve,remote,parquet
RUN python -m venv /opt/pipeline
WORKDIR /source
# Libraries first, in a layer of their own: a change of the code does not download them again.
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY pipeline/__init__.py pipeline/
RUN /opt/pipeline/bin/pip install --no-cache-dir ".[${EXTRAS}]"
COPY pipeline pipeline
RUN /opt/pipeline/bin/pip install --no-cache-dir --no-deps --force-reinstall .

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/pipeline /opt/pipeline
# A volume that is made anew takes the owner of the folder it covers.
RUN useradd --uid 1000 --create-home pipeline \
    && install --directory --owner=pipeline --group=pipeline \
        /weights /project /project/data /project/features_cache /project/runs
# HOME is writable for whoever is given with --user, too.
ENV PATH=/opt/pipeline/bin:$PATH \
    HOME=/tmp \
    KERAS_HOME=/weights/keras \
    PIPELINE_BACKBONES=/weights/backbones \
    PYTHONUNBUFFERED=1
VOLUME ["/weights", "/project/data", "/project/features_cache", "/project/runs"]
WORKDIR /project
USER 1000:1000
# `pipeline serve` listens there; the other commands answer nobody, so a HEALTHCHECK would call them ill.
EXPOSE 8000
ENTRYPOINT ["pipeline"]

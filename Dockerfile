# The stand-alone application with its workers; docker-compose.yml says how it runs as each of them.

FROM python:3.11-slim AS build
RUN python -m venv /opt/stats
WORKDIR /source
COPY pyproject.toml setup.py MANIFEST.in LICENSE README.md CHANGELOG.md CONTRIBUTING.md ./
COPY es_templates ./es_templates
COPY stats_pipeline ./stats_pipeline
RUN /opt/stats/bin/pip install --no-cache-dir . "gunicorn>=23,<28"

FROM python:3.11-slim
# The volume takes its owner from this folder.
RUN useradd --system --uid 1000 --create-home --home-dir /var/lib/stats stats \
    && install --directory --owner stats /var/lib/stats/instance
COPY --from=build /opt/stats /opt/stats
ENV PATH=/opt/stats/bin:$PATH PYTHONUNBUFFERED=1
USER stats
WORKDIR /var/lib/stats
EXPOSE 8000
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--worker-tmp-dir", "/dev/shm", "stats_pipeline.app:create_app()"]

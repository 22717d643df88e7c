#!/usr/bin/env bash
# Installs the locked packages into the Python on the path, with what the system must bring. For the workflows; on any system.
# PyTorch comes from wherever pip looks (PIP_EXTRA_INDEX_URL): the build for the CPU is enough and five times smaller.
set -euo pipefail
cd "$(dirname "$0")/../.."
case "$(uname -s)" in
Linux) sudo tools/system_packages.sh ;;
Darwin) brew list libomp >/dev/null 2>&1 || brew install libomp ;; # XGBoost needs it on macOS.
esac
python -m pip install --quiet --require-hashes -r requirements.lock
python -m pip install --quiet -r requirements-torch.lock
python -m pip install --quiet --require-hashes -r requirements-dev.lock
python -m pip install --quiet --no-deps --no-build-isolation --editable .

#!/usr/bin/env bash
# After freeze.py on macOS: checks the signature, packs dist/CNNPredict.app into a .dmg, has it notarised when the secrets are there.
#   CODESIGN_IDENTITY   name of a "Developer ID Application" certificate in the keychain; without it the bundle is signed ad hoc
#   NOTARY_PROFILE      profile stored by `xcrun notarytool store-credentials`; without it nothing is sent to Apple
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python}
app=$top/dist/CNNPredict.app
name=$("$python" -c "import sys; sys.path.insert(0, '$top/packaging'); import product; print(product.file_name('dmg'))")
plutil -lint "$app/Contents/Info.plist"
codesign --verify --deep --strict --verbose=2 "$app"
dmgbuild -s "$top/packaging/macos/dmg_settings.py" -D app="$app" -D icon="$top/build/packaging/icons/cnnpredict.icns" \
    cnnpredict "$top/dist/$name"
if [ -n "${CODESIGN_IDENTITY:-}" ]; then codesign --sign "$CODESIGN_IDENTITY" --timestamp "$top/dist/$name"; fi
if [ -n "${NOTARY_PROFILE:-}" ]; then
    xcrun notarytool submit "$top/dist/$name" --keychain-profile "$NOTARY_PROFILE" --wait
    xcrun stapler staple "$top/dist/$name"
fi
hdiutil verify "$top/dist/$name"

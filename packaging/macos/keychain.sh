#!/usr/bin/env bash
# In the release workflow on macOS: puts the signing certificate into a keychain of its own and tells the later steps, through
# GITHUB_ENV, who signs. Without the secret CERTIFICATE it does nothing: the bundle is then signed ad hoc and not notarised.
set -euo pipefail
if [ -z "${CERTIFICATE:-}" ]; then
    echo "no certificate: the bundle is signed ad hoc"
    exit 0
fi
keychain=$RUNNER_TEMP/signing.keychain-db
password=$(uuidgen)
file=$RUNNER_TEMP/certificate.p12
base64 --decode <<<"$CERTIFICATE" >"$file"
security create-keychain -p "$password" "$keychain"
security set-keychain-settings -lut 21600 "$keychain"
security unlock-keychain -p "$password" "$keychain"
security import "$file" -P "$CERTIFICATE_PASSWORD" -A -t cert -f pkcs12 -k "$keychain"
security set-key-partition-list -S apple-tool:,apple: -s -k "$password" "$keychain" >/dev/null
security list-keychains -d user -s "$keychain" login.keychain
rm "$file"
echo "CODESIGN_IDENTITY=$IDENTITY" >>"$GITHUB_ENV"
if [ -n "${APPLE_ID:-}" ]; then
    xcrun notarytool store-credentials cnnpredict --apple-id "$APPLE_ID" --password "$APPLE_PASSWORD" --team-id "$APPLE_TEAM" \
        --keychain "$keychain"
    echo "NOTARY_PROFILE=cnnpredict" >>"$GITHUB_ENV"
fi

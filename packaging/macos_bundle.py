"""Info.plist of the application bundle, and who signs it."""

from __future__ import annotations

import os
from typing import Any

import product

#: Name of the application folder.
FOLDER = "CNNPredict.app"
#: Oldest macOS: PyTorch 2.13 and ONNX Runtime 1.32 have no wheels for older ones.
MINIMUM_MACOS = "14.0"


def identity() -> str | None:
    """Name of the signing certificate (variable CODESIGN_IDENTITY); without one the bundle is signed ad hoc."""
    return os.environ.get("CODESIGN_IDENTITY") or None


def document_type(name: str, uniform_type: str, suffix: str, role: str, rank: str) -> dict[str, Any]:
    """One kind of file the application opens."""
    return {
        "CFBundleTypeName": name,
        "CFBundleTypeRole": role,
        "CFBundleTypeExtensions": [suffix],
        "LSItemContentTypes": [uniform_type],
        "LSHandlerRank": rank,
        "CFBundleTypeIconFile": "cnnpredict.icns",
    }


def uniform_type(identifier: str, description: str, suffix: str, media_type: str, conforms: str) -> dict[str, Any]:
    """Declaration of a kind of file."""
    return {
        "UTTypeIdentifier": identifier,
        "UTTypeDescription": description,
        "UTTypeConformsTo": [conforms],
        "UTTypeTagSpecification": {"public.filename-extension": [suffix], "public.mime-type": [media_type]},
    }


def info_plist() -> dict[str, Any]:
    """Everything in Info.plist that PyInstaller does not write itself."""
    session, onnx = f"{product.IDENTIFIER}.session", "ai.onnx.model"
    return {
        "CFBundleName": "CNNPredict",
        "CFBundleDisplayName": product.NAME,
        "CFBundleShortVersionString": product.version(),
        "CFBundleVersion": product.version(),
        "CFBundleExecutable": product.GUI,
        "LSApplicationCategoryType": "public.app-category.developer-tools",
        "LSMinimumSystemVersion": MINIMUM_MACOS,
        "LSArchitecturePriority": [product.architecture()],
        "NSHighResolutionCapable": True,
        "NSRequiresAquaSystemAppearance": False,
        "NSHumanReadableCopyright": f"{product.PUBLISHER}, MIT licence",
        "CFBundleDocumentTypes": [
            document_type("CNNPredict session", session, product.SESSION_SUFFIX, "Editor", "Owner"),
            document_type("ONNX model", onnx, product.ONNX_SUFFIX, "Viewer", "Alternate"),
        ],
        "UTExportedTypeDeclarations": [
            uniform_type(session, "CNNPredict session", product.SESSION_SUFFIX, product.SESSION_TYPE, "public.json")
        ],
        "UTImportedTypeDeclarations": [uniform_type(onnx, "ONNX model", product.ONNX_SUFFIX, product.ONNX_TYPE, "public.data")],
    }

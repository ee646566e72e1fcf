"""RFC 7396 as a client does it: the tests' own, so that the product's is never measured by itself."""

from typing import Any


def merge(target: Any, patch: Any) -> Any:
    """Return `target` with the patch applied."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result

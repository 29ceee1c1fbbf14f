"""From policy documents to snapshots: every mistake found, or an immutable value that the data path reads."""

from seawall_policy.compile.document import BOOTSTRAP_FIELDS, VERSION, CompileResult, compile_document, digest
from seawall_policy.compile.fallbacks import MissingDescriptor
from seawall_policy.compile.report import Violation

__all__ = [
    "BOOTSTRAP_FIELDS",
    "VERSION",
    "CompileResult",
    "MissingDescriptor",
    "Violation",
    "compile_document",
    "digest",
]

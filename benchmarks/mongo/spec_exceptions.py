"""Cases of the specification that do not hold through the proxy, each with its reason.

The keys are searched for in ``suite/file: case``. Each case here expects an error to surface that
the proxy rides out; the data at the end is compared all the same, where the case says it.
"""

_BEYOND_ONE = "wants the second failure in a row to surface; riding out more than one is the point"
_SAID_NO = "sets retryReads=false; wrapping the client is the later word that reads are repeated"
_OUTPUT = (
    "wants $out and $merge not to be repeated; class O repeats those that end in the same data"
)
_RECORDED = "wants a transaction by hand to end at its first failure; class X does it again"
_COMMIT = "wants an unknown commit to surface; class X asks for it again until it is known"
_DROPPED = (
    "wants a commit after a failed statement to be refused by the server; the proxy refuses it"
)
_HOST = "sends an unreachable host (6) without its label; a token makes going on safe all the same"

EXCEPTIONS: dict[str, str] = {
    r"retryable_writes/.*after two connection failures": _BEYOND_ONE,
    r"retryable_writes/.*is never committed": _BEYOND_ONE,
    r"retryable_writes/.*after multiple retryable writeConcernErrors": _BEYOND_ONE,
    r"retryable_writes/insertOne-noWritesPerformedError": _BEYOND_ONE,
    r"retryable_reads/.*(after two NotWritablePrimary errors|fails on second attempt)": _BEYOND_ONE,
    r"retryable_reads/.*(retryReads is false|fails on first attempt)": _SAID_NO,
    r"retryable_reads/aggregate.*\$(merge|out) does not retry": _OUTPUT,
    r"crud/estimatedDocumentCount: .*errors correctly--socket error": _BEYOND_ONE,
    r"change_streams/.*does not resume if error does not contain Resumable": _HOST,
    r"transactions/do-not-retry-read-in-transaction": _RECORDED,
    r"transactions/errors: write conflict commit": _DROPPED,
    r"transactions/retryable-writes: writes are not retried": _RECORDED,
    r"transactions/retryable-commit: commitTransaction (fails after two|applies majority)": _COMMIT,
    r"transactions/error-labels: .*contain transient label": _RECORDED,
    r"transactions/error-labels: add TransientTransactionError label to connection": _RECORDED,
    r"transactions/error-labels.*: add .*UnknownTransactionCommitResult label": _COMMIT,
    r"transactions/retryable-commit-errorLabels: commitTransaction does not retry error": _COMMIT,
}

"""The stable codes of everything that a policy file can be told off for.

A code never changes its meaning; a rule that goes takes its code with it. SW00xx: the file. SW01xx: values.
SW02xx: names. SW03xx: messages and descriptors. SW05xx: warnings about policies that are allowed and probably
not meant.
"""

from __future__ import annotations

from typing import Final

UNREADABLE: Final = "SW0001"
SYNTAX: Final = "SW0002"
TOO_LARGE: Final = "SW0003"
UNKNOWN_KEY: Final = "SW0004"
DUPLICATE_KEY: Final = "SW0005"
WRONG_TYPE: Final = "SW0006"
BAD_DURATION: Final = "SW0007"
BAD_ENUM: Final = "SW0008"
BAD_ENV: Final = "SW0009"
NOT_SUPPORTED: Final = "SW0010"
BAD_DESCRIPTOR_FILE: Final = "SW0011"
BAD_NUMBER: Final = "SW0012"

BAD_VERSION: Final = "SW0101"
OUT_OF_RANGE: Final = "SW0102"
NOT_A_STATUS: Final = "SW0103"
NOT_FINITE: Final = "SW0104"
BAD_ADDRESS: Final = "SW0105"
BAD_NAME: Final = "SW0106"
MISSING: Final = "SW0107"
EXCLUSIVE: Final = "SW0108"
BAD_WHEN: Final = "SW0109"
NEWER: Final = "SW0110"
BAD_METADATA: Final = "SW0111"
BAD_METHOD: Final = "SW0112"
TOO_MANY: Final = "SW0113"
BAD_HEADER: Final = "SW0131"
BAD_REASON: Final = "SW0141"
METHOD_MISFIT: Final = "SW0152"
BAD_KEY: Final = "SW0153"
BAD_TIME: Final = "SW0157"
BAD_PATTERN: Final = "SW0158"
NOT_WRITTEN_OUT: Final = "SW0159"
LIMIT_RANGE: Final = "SW0148"
SHARES_TOO_LARGE: Final = "SW0149"
BAD_RATE_KEY: Final = "SW0150"

DUPLICATE_NAME: Final = "SW0201"
NO_SUCH_CLUSTER: Final = "SW0202"
NO_SUCH_POLICY: Final = "SW0203"
EXTENDS_CYCLE: Final = "SW0204"
RESERVED_NAME: Final = "SW0205"

BAD_DESCRIPTORS: Final = "SW0301"
STATIC_MISFIT: Final = "SW0302"
STATIC_PARTIAL: Final = "SW0303"
NO_SUCH_METHOD: Final = "SW0304"

TRIES_OUTLAST_CALL: Final = "SW0501"
RETRIES_CLIENT_FAULT: Final = "SW0502"
RETRY_NEVER: Final = "SW0503"
WINDOW_TOO_SMALL: Final = "SW0504"
FALLBACK_TO_SELF: Final = "SW0505"
SHADOWED_ROUTE: Final = "SW0506"
SINGLE_ATTEMPT: Final = "SW0507"
BUDGET_IS_NONE: Final = "SW0508"
TRY_NOT_SHORTER: Final = "SW0509"
UNUSED_CLUSTER: Final = "SW0510"
UNUSED_POLICY: Final = "SW0511"
NO_EFFECT: Final = "SW0512"
NO_ROUTES: Final = "SW0513"
SENDS_TO_ITSELF: Final = "SW0514"
REPEATED: Final = "SW0515"
BREAKS_ON_CLIENT_FAULT: Final = "SW0516"
HEDGE_NEVER: Final = "SW0521"
HEDGE_AT_ONCE: Final = "SW0522"
HEDGE_TOO_LATE: Final = "SW0523"
HEDGE_UNPAID: Final = "SW0524"
HEDGE_NOWHERE: Final = "SW0525"
MARGIN_IS_ALL: Final = "SW0526"
CLASS_COVERED: Final = "SW0527"
NOTHING_TO_COMPARE: Final = "SW0530"
UNVERIFIED: Final = "SW0531"
ANYONE_IS_TRUSTED: Final = "SW0532"
NEVER_SO_FAR: Final = "SW0533"
EJECTS_FOR_CLIENT_FAULT: Final = "SW0534"
METHOD_PARTIAL: Final = "SW0540"
WAITS_OUTLAST_CALL: Final = "SW0535"
ADAPTIVE_WITHOUT_QUEUE: Final = "SW0536"
CRITICALITY_UNUSED: Final = "SW0537"
BURST_TOO_SMALL: Final = "SW0538"
READ_ON_THE_WAY: Final = "SW0539"
MIRROR_TO_SELF: Final = "SW0541"
FALLBACK_PAST_BREAKER: Final = "SW0542"
FALLBACK_UNREACHED: Final = "SW0543"
KIND_UNKNOWN: Final = "SW0544"
JITTER_TO_NOTHING: Final = "SW0550"
ONE_ENDPOINT: Final = "SW0551"
WATCHED_TWICE: Final = "SW0552"
OPTIONAL_ALONE: Final = "SW0553"
FAULT_IS_OVER: Final = "SW0545"
FAULT_IS_LONG: Final = "SW0546"
FAULT_HITS_ALL: Final = "SW0547"
CLASSIFIED_BEFORE: Final = "SW0548"

MEANINGS: Final[dict[str, tuple[str, str]]] = {
    UNREADABLE: (
        "The file cannot be read",
        "It is missing, is no file, is larger than 4 MiB, or is not UTF-8.",
    ),
    SYNTAX: ("Syntax error", "The text is no YAML, TOML or JSON. Nothing after the place can be checked."),
    TOO_LARGE: (
        "Too deep or too large",
        (
            "Nesting, the number of values, or aliases that unfold into too many values are limited, so "
            "that no "
            "file can exhaust memory."
        ),
    ),
    UNKNOWN_KEY: (
        "Unknown key",
        "No such setting exists at this place. Keys that start with `x-` are ignored on purpose.",
    ),
    DUPLICATE_KEY: ("Key given twice", "YAML would silently keep one of the two; remove the other."),
    WRONG_TYPE: ("Wrong type", "A list, mapping, text, number or boolean stands where another was expected."),
    BAD_DURATION: ("Not a duration", "Write `50ms`, `1.5s` or `1m30s`; a number without a unit is refused."),
    BAD_ENUM: ("Not one of the choices", "The message lists them."),
    BAD_ENV: (
        "Bad environment reference",
        (
            "`${env:NAME}` needs the variable to be set; `${env:NAME:-value}` has a default; `$${` stands "
            "for a "
            "plain `${`."
        ),
    ),
    NOT_SUPPORTED: (
        "Not supported by this version",
        "The name is reserved for a setting that this version cannot carry out. It is refused, not ignored.",
    ),
    BAD_DESCRIPTOR_FILE: (
        "Unreadable descriptor file",
        (
            "Each of `descriptor_files` must hold a serialized google.protobuf.FileDescriptorSet "
            "(`protoc --include_imports --descriptor_set_out`)."
        ),
    ),
    BAD_NUMBER: (
        "Not a number of the right kind",
        "Whole numbers, decimals and percentages are written plainly.",
    ),
    BAD_VERSION: ("Missing or unknown version", "The document must say `version: v1`."),
    OUT_OF_RANGE: ("Out of range", "The message says which values are allowed."),
    NOT_A_STATUS: ("Not a gRPC status", "Use the upper-case name of a status code, such as UNAVAILABLE."),
    NOT_FINITE: ("Not a finite number", "Infinity and NaN are no settings."),
    BAD_ADDRESS: ("Not an address", "Write `host:port`, with an IPv6 host in brackets."),
    BAD_NAME: (
        "Malformed name",
        "Names are keys of metrics and events: letters, digits, `_`, `-`, `.` and `/`, at most 128.",
    ),
    NOT_WRITTEN_OUT: (
        "The document extends another",
        "Only with what it extends is it whole; a control plane and `seawall lint --base FILE` write it out.",
    ),
    MISSING: ("Missing setting", "The setting has no default that could be right."),
    EXCLUSIVE: ("Settings that exclude each other", "Keep one of them."),
    BAD_WHEN: (
        "Neither a status nor a reason",
        "`when` takes gRPC status names, reasons such as BREAKER_OPEN, and `any`.",
    ),
    NEWER: (
        "Made by a newer version",
        "The document holds a field or a choice that this version does not know and so could not carry out.",
    ),
    BAD_METADATA: (
        "Bad metadata condition",
        "Keys are lower case and not binary; values are printable ASCII.",
    ),
    BAD_METHOD: (
        "Malformed service or method",
        "Write `service: shop.v1.Checkout` and `method: PlaceOrder`, without slashes.",
    ),
    TOO_MANY: ("Too many", "Every list has a limit, so that a document cannot exhaust a proxy."),
    BAD_HEADER: (
        "Change of metadata that cannot be made",
        (
            "Names that the protocol or Seawall owns stay as they are; values are printable ASCII, those of "
            "`-bin` names base64."
        ),
    ),
    BAD_REASON: (
        "Malformed reason",
        "Reasons are upper case letters, digits and `_`, at most 63 (AIP-193), such as QUOTA_EXCEEDED.",
    ),
    METHOD_MISFIT: (
        "Method cannot stand in for another",
        "A fallback's `method` must stream like the method called, and its messages must be compatible.",
    ),
    BAD_KEY: (
        "Not a key to know calls by",
        (
            "Lower-case metadata keys that callers set, without `-bin`; in `last_good.key` written as "
            "`metadata:NAME`, or `request`."
        ),
    ),
    BAD_TIME: ("Not a moment", "Write an RFC 3339 time with its offset, such as `2026-12-01T00:00:00Z`."),
    BAD_PATTERN: (
        "Not a pattern",
        (
            "Patterns are matched in linear time: no look-around and no backreferences, and the message "
            "says what is not understood."
        ),
    ),
    LIMIT_RANGE: ("The least limit is above the largest", "`min_in_flight` is more than `max_in_flight`."),
    SHARES_TOO_LARGE: (
        "Shares promise too much",
        "What classes of calls are sure of is at most the whole limit.",
    ),
    BAD_RATE_KEY: ("Not a part of a key", "Write `peer`, `method` or `metadata:` with a metadata key."),
    DUPLICATE_NAME: ("Name given twice", "Names are unique among listeners, clusters and routes."),
    NO_SUCH_CLUSTER: ("No such cluster", "The document defines no cluster of this name."),
    NO_SUCH_POLICY: (
        "No such policy",
        "Neither the document nor the built-in set has a policy of this name.",
    ),
    EXTENDS_CYCLE: ("Policies extend each other", "Following `extends` leads back to the policy itself."),
    RESERVED_NAME: ("Reserved name", "Names that start with `builtin/` belong to the built-in policies."),
    BAD_DESCRIPTORS: ("Unusable descriptors", "The descriptor set is damaged or not complete."),
    STATIC_MISFIT: (
        "Static answer does not fit",
        "The JSON cannot be encoded as the response message of the method; the message names the field.",
    ),
    STATIC_PARTIAL: (
        "Static answer fits only some methods",
        "Calls of the other methods pass over this fallback and go to the next.",
    ),
    NO_SUCH_METHOD: (
        "Service or method not in the descriptors",
        "The name may be misspelt; the route still matches it.",
    ),
    TRIES_OUTLAST_CALL: (
        "Tries outlast the call",
        "`per_try_timeout` times `max_attempts` is longer than `timeout`, so the last tries are cut short.",
    ),
    RETRIES_CLIENT_FAULT: (
        "Retries what trying cannot mend",
        "The status says that the request is wrong or unwanted; the same request will fail again.",
    ),
    RETRY_NEVER: (
        "The retry never happens",
        (
            "`only_idempotent` (true unless set) keeps calls of methods that are not declared idempotent "
            "from "
            "being retried."
        ),
    ),
    WINDOW_TOO_SMALL: (
        "`min_calls` exceeds the window",
        "The breaker decides as soon as its window is full.",
    ),
    FALLBACK_TO_SELF: ("Fallback to the same cluster", "What has just failed is asked again."),
    SHADOWED_ROUTE: ("Route is never reached", "An earlier route has the same conditions."),
    SINGLE_ATTEMPT: ("Retry without a second attempt", "`max_attempts` is 1, which is also its default."),
    BUDGET_IS_NONE: (
        "The budget limits nothing",
        "With 100 % every call may be retried, which doubles the load in an outage.",
    ),
    TRY_NOT_SHORTER: (
        "A try may last as long as the call",
        "`per_try_timeout` never takes effect before `timeout`.",
    ),
    UNUSED_CLUSTER: ("Cluster is not used", "No route and no fallback sends to it."),
    UNUSED_POLICY: ("Policy is not used", "No route names it and no policy extends it."),
    NO_EFFECT: ("Setting without effect", "Another setting beside it makes it meaningless."),
    NO_ROUTES: ("No routes", "Every call is answered with UNIMPLEMENTED."),
    SENDS_TO_ITSELF: (
        "Cluster sends to this proxy",
        "An endpoint is one of the proxy's own listeners: calls would go round for ever.",
    ),
    REPEATED: ("Given twice", "The second one changes nothing."),
    BREAKS_ON_CLIENT_FAULT: (
        "Breaker counts the caller's mistakes",
        "One caller with wrong requests can open the breaker for everybody.",
    ),
    HEDGE_NEVER: (
        "The hedge never happens",
        (
            "`only_idempotent` (true unless set) keeps calls of methods that are not declared idempotent "
            "from being hedged."
        ),
    ),
    HEDGE_AT_ONCE: (
        "Hedges do not wait",
        "Without a delay the budget is spent on calls that would have been answered in time.",
    ),
    HEDGE_TOO_LATE: (
        "The hedge comes too late",
        "The call or its attempt is over before the delay is.",
    ),
    HEDGE_UNPAID: (
        "The budget does not pay for the percentile",
        "A percentile of 90 hedges one call in ten; a smaller budget leaves nothing for a frozen endpoint.",
    ),
    HEDGE_NOWHERE: (
        "Nowhere to hedge",
        "A hedge goes to an endpoint that the call has not tried, and the cluster has one endpoint only.",
    ),
    MARGIN_IS_ALL: (
        "The margin takes half of the call",
        "At most half of a caller's time is kept back; so large a margin leaves little to work with.",
    ),
    CLASS_COVERED: (
        "Class is never reached",
        "An earlier class takes every failure that this one asks for.",
    ),
    NOTHING_TO_COMPARE: (
        "Outlier detection without others",
        "An outlier is worse than the other endpoints of its cluster, and this cluster has none.",
    ),
    UNVERIFIED: (
        "Certificates are not verified",
        "TLS without verification hides calls from onlookers, and protects them from nobody else.",
    ),
    READ_ON_THE_WAY: (
        "A secret travels in plaintext",
        "Whoever is on the way to a port that other machines can reach reads the secret of `token_file`.",
    ),
    ANYONE_IS_TRUSTED: (
        "Anyone may name the client",
        "A PROXY protocol header is believed, whoever sends it.",
    ),
    WAITS_OUTLAST_CALL: (
        "Waiting lasts as long as the call",
        "`queue_timeout` is not shorter than `timeout`, so calls would wait until they fail.",
    ),
    ADAPTIVE_WITHOUT_QUEUE: (
        "Adaptive limit without a queue",
        "Calls that come close together meet a limit that is right on average, and are refused.",
    ),
    CRITICALITY_UNUSED: (
        "Criticality is read and not used",
        "Classes differ in what they are sure of (`shares`) and in how they wait (`queue`).",
    ),
    BURST_TOO_SMALL: (
        "Burst is very small for the rate",
        "Less than a millisecond's calls may come at once.",
    ),
    NEVER_SO_FAR: (
        "No endpoint can be such an outlier",
        "Of n endpoints none is more than the square root of n - 1 standard deviations from their mean.",
    ),
    EJECTS_FOR_CLIENT_FAULT: (
        "Outlier detection counts the caller's mistakes",
        "One caller with wrong requests can have endpoints ejected for everybody.",
    ),
    METHOD_PARTIAL: (
        "Method stands in for some methods only",
        "Calls of the other methods pass over this fallback and go to the next.",
    ),
    MIRROR_TO_SELF: (
        "Mirror sends to the route's own cluster",
        "The copy is a second execution of the same call on the same servers.",
    ),
    FALLBACK_PAST_BREAKER: (
        "Fallback goes past an open breaker",
        "The step calls another method of the cluster that the breaker has just protected.",
    ),
    FALLBACK_UNREACHED: (
        "Fallback is never reached",
        "An earlier one answers the same failures and always has an answer.",
    ),
    KIND_UNKNOWN: (
        "Nothing says which methods stream",
        "Without descriptors a journal and an empty answer have to guess what a method's messages are.",
    ),
    JITTER_TO_NOTHING: (
        "Jitter down to nothing",
        "An open time may be so short that the breaker protects nobody.",
    ),
    ONE_ENDPOINT: (
        "A breaker for each of one endpoint",
        "With one endpoint there is none to go to instead, so the route's own breaker does the same.",
    ),
    WATCHED_TWICE: (
        "Endpoints are watched twice",
        "Breakers of endpoints and outlier detection take endpoints out for the same failures.",
    ),
    OPTIONAL_ALONE: (
        "An optional route has a limit of its own",
        "Optional calls are refused when the limit that they share is nearly reached; nobody shares this.",
    ),
    FAULT_IS_OVER: ("The fault is over", "`until` is in the past, so nothing is broken; remove the fault."),
    FAULT_IS_LONG: (
        "The fault lasts for more than a day",
        "Whoever started it may have forgotten it by then; renew it instead.",
    ),
    FAULT_HITS_ALL: (
        "The fault hits every call",
        "Every attempt of every call is aborted: the route is down for as long as the fault lasts.",
    ),
    CLASSIFIED_BEFORE: (
        "Classified before",
        "The first entry that matches counts, and an earlier one matches whatever this one does.",
    ),
}
"""Title and explanation of each code, as the reference shows them."""

"""Writes frames.json: one golden frame or more for each message of the protocol.

The encoder is written from the MessagePack specification and shares nothing with the one under test. Run it again
only to add frames: a frame that is there may never change, since clients in the field rely on it.

    python3 frames.py > frames.json
"""

import json
import struct


def sized(n, short, short_max, tags):
    """The header of something of length n: a short form below short_max, else the first tag whose width holds n."""
    if short is not None and n <= short_max:
        return bytes([short | n])
    for tag, code, top in zip(tags, ("B", "H", "I"), (0xFF, 0xFFFF, 0xFFFFFFFF)):
        if tag is not None and n <= top:
            return bytes([tag]) + struct.pack(">" + code, n)
    raise ValueError(n)


def pack(value):
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if value < 0x80:
            return bytes([value])
        if value < 0x1_0000_0000:
            return sized(value, None, 0, (0xCC, 0xCD, 0xCE))
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8")
        return sized(len(text), 0xA0, 0x1F, (0xD9, 0xDA, 0xDB)) + text
    if isinstance(value, bytes):
        return sized(len(value), None, 0, (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, list):
        return sized(len(value), 0x90, 0x0F, (None, 0xDC, 0xDD)) + b"".join(map(pack, value))
    if isinstance(value, dict):
        pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
        return sized(len(value), 0x80, 0x0F, (None, 0xDE, 0xDF)) + pairs
    raise TypeError(type(value))


def readable(value):
    """JSON has no bytes: they stand as {"hex": ...}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    return value


def counting(start, length):
    return bytes((start + index) % 256 for index in range(length))


KEY = "device-1"
FIRST = bytes.fromhex("0192f0c1a5007aaa8bbb000000000001")
SECOND = bytes.fromhex("0192f0c1a5017aaa8bbb000000000002")
ADDED = {"id": FIRST, "event": "TodoAdded", "primaryKey": "t1", "payload": bytes.fromhex("0102ff00")}
RENAMED = {"id": SECOND, "event": "TodoRenamed", "primaryKey": "café ☕ 𝄞", "payload": b""}
LIMITS = {
    "maxFrameBytes": 1_048_576,
    "maxMessageBytes": 16_777_216,
    "maxChunkedMessages": 4,
    "maxBatchEntries": 1_000,
    "maxEntryBytes": 4_194_304,
    "maxEventBytes": 255,
    "maxPrimaryKeyBytes": 4_096,
    "maxClockSkewMillis": 86_400_000,
    "maxPendingWrites": 64,
    "maxInboundBytes": 33_554_432,
    "maxSubscriptions": 16,
}
# What servers announce since a client has to know it.
ALL_LIMITS = {**LIMITS, "maxInboundFrames": 1_024, "maxKeys": 16}
REMOTE = counting(0xA0, 16)
CHALLENGE = counting(0, 32)


def error(**fields):
    return {"_tag": "Error", **fields}


FRAMES = [
    ("client", "Proof of a key", {"_tag": "Authenticate", "publicKey": KEY, "signingPublicKey": counting(32, 32),
        "signature": counting(64, 64), "algorithm": "Ed25519"}),
    ("client", "A batch of two entries, one with text beyond ASCII and no payload", {"_tag": "WriteEntries", "id": 7,
        "publicKey": KEY, "entries": [ADDED, RENAMED]}),
    ("client", "An empty batch, with an id of five digits", {"_tag": "WriteEntries", "id": 70_000, "publicKey": KEY,
        "entries": []}),
    ("client", "Sixteen entries: the array needs a long header", {"_tag": "WriteEntries", "id": 8, "publicKey": KEY,
        "entries": [{**ADDED, "id": FIRST[:15] + bytes([index])} for index in range(16)]}),
    ("client", "A payload of 300 bytes", {"_tag": "WriteEntries", "id": 9, "publicKey": KEY,
        "entries": [{**ADDED, "payload": counting(0, 300)}]}),
    ("client", "A subscription from the start", {"_tag": "RequestChanges", "publicKey": KEY, "startSequence": 0}),
    ("client", "A subscription from far in, with an id", {"_tag": "RequestChanges", "publicKey": KEY,
        "startSequence": 4_294_967_296, "id": 1}),
    ("client", "A subscription of a device that says what it received last", {"_tag": "RequestChanges",
        "publicKey": KEY, "startSequence": 8, "id": 2, "lastEntryId": FIRST}),
    ("client", "A subscription for as much as there is room for", {"_tag": "RequestChanges",
        "publicKey": KEY, "startSequence": 1, "id": 3, "maxEntries": 10_000, "maxBytes": 16_777_216}),
    ("client", "The end of a subscription", {"_tag": "StopChanges", "publicKey": KEY}),
    ("client", "The end of one subscription only", {"_tag": "StopChanges", "publicKey": KEY, "id": 1}),
    ("both", "A ping", {"_tag": "Ping", "id": 200}),
    ("both", "A pong", {"_tag": "Pong", "id": 200}),
    ("both", "The second of three parts", {"_tag": "ChunkedMessage", "id": 3, "part": [1, 3],
        "data": bytes.fromhex("deadbeef")}),
    ("server", "A greeting that asks for proof", {"_tag": "Hello", "remoteId": REMOTE, "protocol": 1, "limits": LIMITS,
        "challenge": CHALLENGE}),
    ("server", "A greeting of a server that trusts its network", {"_tag": "Hello", "remoteId": REMOTE, "protocol": 1,
        "limits": LIMITS}),
    ("server", "A greeting that announces every limit", {"_tag": "Hello", "remoteId": REMOTE, "protocol": 1,
        "limits": ALL_LIMITS, "challenge": CHALLENGE}),
    ("server", "A greeting of a server that has many clients", {"_tag": "Hello", "remoteId": REMOTE, "protocol": 1,
        "limits": ALL_LIMITS, "challenge": CHALLENGE, "reconnectWithin": 8_000}),
    ("server", "A pong of a server that has fewer clients by now", {"_tag": "Pong", "id": 201,
        "reconnectWithin": 500}),
    ("server", "A key is proved", {"_tag": "Authenticated", "publicKey": KEY, "challenge": CHALLENGE}),
    ("server", "A batch is durable", {"_tag": "Ack", "id": 7, "sequenceNumbers": [1, 127, 128, 65_536]}),
    ("server", "An empty batch is acknowledged", {"_tag": "Ack", "id": 70_000, "sequenceNumbers": []}),
    ("server", "A subscription stands", {"_tag": "Subscribed", "publicKey": KEY, "head": 0}),
    ("server", "A subscription with an id stands", {"_tag": "Subscribed", "publicKey": KEY, "id": 1, "head": 300}),
    ("server", "Two entries of the feed", {"_tag": "Changes", "publicKey": KEY, "entries": [
        {"remoteSequence": 1, "entry": ADDED}, {"remoteSequence": 2, "entry": RENAMED}]}),
    ("server", "One entry for a subscription with an id", {"_tag": "Changes", "publicKey": KEY, "id": 1,
        "entries": [{"remoteSequence": 4_294_967_297, "entry": ADDED}]}),
    ("server", "Everything was sent", {"_tag": "CaughtUp", "publicKey": KEY, "head": 2}),
    ("server", "Everything was sent to a subscription with an id", {"_tag": "CaughtUp", "publicKey": KEY, "id": 1,
        "head": 4_294_967_297}),
    ("server", "A write named two bad entries", error(requestTag="WriteEntries", id=7, publicKey=KEY,
        code="InvalidRequest", reason="BadEntry", message="Two entries are no good", retryable=False,
        entryIds=[FIRST, SECOND])),
    ("server", "A write may be tried again", error(requestTag="WriteEntries", id=7, publicKey=KEY, code="Unavailable",
        reason="Unavailable", message="The storage is unavailable", retryable=True)),
    ("server", "A read was refused", error(requestTag="RequestChanges", publicKey=KEY, code="Forbidden",
        reason="Refused", message="Refused", retryable=False)),
]

# The same messages as other encoders may write them. They are only read.
VARIANTS = [
    ("client", "Every integer as uint64", {"_tag": "RequestChanges", "publicKey": KEY, "startSequence": 5, "id": 1},
        "84a45f746167ae526571756573744368616e676573a97075626c69634b6579a86465766963652d31"
        "ad737461727453657175656e6365cf0000000000000005a26964cf0000000000000001"),
    ("client", "Every integer as a float", {"_tag": "RequestChanges", "publicKey": KEY, "startSequence": 5, "id": 1},
        "84a45f746167ae526571756573744368616e676573a97075626c69634b6579a86465766963652d31"
        "ad737461727453657175656e6365cb4014000000000000a26964ca3f800000"),
    ("client", "Every integer signed", {"_tag": "RequestChanges", "publicKey": KEY, "startSequence": 5, "id": 1},
        "84a45f746167ae526571756573744368616e676573a97075626c69634b6579a86465766963652d31"
        "ad737461727453657175656e6365d30000000000000005a26964d001"),
    ("client", "The longest headers", {"_tag": "StopChanges", "publicKey": KEY},
        "df00000002db000000045f746167db0000000b53746f704368616e676573"
        "da00097075626c69634b6579d9086465766963652d31"),
    ("client", "Another order, and fields that nobody knows", {"_tag": "Ping", "id": 1},
        "84a2696401a5657874726182a16101a162c0a56f7468657293c2cb3ff8000000000000c403010203a45f746167a450696e67"),
    ("both", "Bytes with a long header, in an array with a long header", {"_tag": "ChunkedMessage", "id": 3,
        "part": [1, 3], "data": b"\x2a"},
        "84a45f746167ae4368756e6b65644d657373616765a2696403a470617274dd000000020103a464617461c6000000012a"),
]

print(json.dumps({
    "frames": [
        {"from": side, "meaning": meaning, "message": readable(message), "hex": pack(message).hex()}
        for side, meaning, message in FRAMES
    ],
    "variants": [
        {"from": side, "meaning": meaning, "message": readable(message), "hex": code}
        for side, meaning, message, code in VARIANTS
    ],
}, indent=2, ensure_ascii=False))

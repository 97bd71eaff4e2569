"""A client of descry made of nothing but proto/descry/v1 and grpcio's generator.

Talks gRPC to the server at DESCRY_TARGET (HOST:PORT, or unix:PATH), one that was started with --demo.
The generated modules, descry.v1.*_pb2, have to be on PYTHONPATH.
"""

import hashlib
import json
import os
import random
import unittest

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from descry.v1 import content_service_pb2 as content
from descry.v1 import content_service_pb2_grpc as service
from descry.v1 import types_pb2 as types

HELLO = "descry.local/hello:latest"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCTETS = "application/octet-stream"
# The contract's limit for one message of FetchStream, in bytes.
MAX_STREAM_MESSAGE = 256 * 1024
MIB = 1024 * 1024


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type, data):
    return types.ContentDescriptor(media_type=media_type, digest=sha256(data), size=len(data))


def messages(header, data):
    yield content.PushStreamRequest(header=header)
    for start in range(0, len(data), MAX_STREAM_MESSAGE):
        yield content.PushStreamRequest(data=data[start : start + MAX_STREAM_MESSAGE])


class ContentTest(unittest.TestCase):
    def setUp(self):
        target = os.environ["DESCRY_TARGET"]
        wire = target.partition(":")[0]
        # One repository for each test, so that their order does not count.
        self.repository = "/".join(["descry.local/python", wire, self._testMethodName.replace("_", "-")])
        # grpcio's default limits: the contract promises that they do.
        self.channel = grpc.insecure_channel(target)
        self.addCleanup(self.channel.close)
        self.descry = service.ContentServiceStub(self.channel)

    def refused(self, code, reason, call):
        """The details of the error that a call ends with, by name, decoded by Google's own types."""
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code)
        details = {}
        for packed in rpc_status.from_call(caught.exception).details:
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
                if packed.Is(kind.DESCRIPTOR):
                    details[kind.DESCRIPTOR.name] = message = kind()
                    packed.Unpack(message)
        self.assertEqual(details["ErrorInfo"].domain, "descry")
        self.assertEqual(details["ErrorInfo"].reason, reason)
        return details

    def fetch_stream(self, **fields):
        """Header and content of a stream that is held to the contract."""
        stream = self.descry.FetchStream(content.FetchStreamRequest(**fields))
        first = next(stream)
        self.assertEqual(first.WhichOneof("part"), "header")
        data = bytearray()
        for message in stream:
            self.assertEqual(message.offset, fields.get("offset", 0) + len(data))
            self.assertLessEqual(len(message.data), MAX_STREAM_MESSAGE)
            data += message.data
        return first.header, bytes(data)

    def prepare(self, desc, repository=None, mount_from=()):
        request = content.PreparePushRequest(
            repository=repository or self.repository, descs=[desc], mount_from=mount_from
        )
        answer = self.descry.PreparePush(request)
        self.assertEqual(len(answer.states), 1)
        return answer

    def test_a_whole_image(self):
        resolved = self.descry.Resolve(content.ResolveRequest(ref=HELLO))
        self.assertEqual(resolved.desc.media_type, INDEX)
        self.assertEqual(resolved.pinned_ref, "descry.local/hello@" + resolved.desc.digest)
        self.assertEqual(resolved.freshness.served_by, types.SERVED_BY_STORE)
        waiting = [(resolved.desc.digest, resolved.desc.media_type)]
        seen = 0
        while waiting:
            digest, media_type = waiting.pop()
            answer = self.descry.Fetch(
                content.FetchRequest(ref=resolved.pinned_ref, digest=digest, media_type=media_type)
            )
            self.assertEqual(sha256(answer.data), digest)
            self.assertTrue(answer.verified)
            seen += 1
            if media_type in (INDEX, MANIFEST):
                manifest = json.loads(answer.data)
                children = manifest.get("manifests", []) + manifest.get("layers", [])
                children += [manifest["config"]] if "config" in manifest else []
                waiting += [(child["digest"], child["mediaType"]) for child in children]
        # An index of two images and their attestations: 1 index, 4 manifests, 4 configs, 4 layers.
        self.assertEqual(seen, 13)

    def test_32_mib_both_ways(self):
        data = random.Random(1).randbytes(32 * MIB)
        desc = descriptor(OCTETS, data)
        self.assertEqual(self.prepare(desc).states[0].presence, content.PRESENCE_MISSING)
        header = content.PushHeader(ref=self.repository, desc=desc)
        receipt = self.descry.PushStream(messages(header, data)).receipt
        self.assertEqual(receipt.outcome, types.OUTCOME_CREATED)
        self.assertEqual(receipt.pinned_ref, self.repository + "@" + desc.digest)

        there = self.prepare(desc)
        self.assertEqual(there.states[0].presence, content.PRESENCE_PRESENT)
        self.assertTrue(there.HasField("held_until"))
        mounted = self.prepare(desc, self.repository + "/other", [self.repository])
        self.assertEqual(mounted.states[0].presence, content.PRESENCE_MOUNTED)

        fetched, whole = self.fetch_stream(ref=self.repository, digest=desc.digest)
        self.assertTrue(fetched.verified)
        self.assertEqual(fetched.desc.size, len(data))
        self.assertEqual(sha256(whole), desc.digest)
        start = 20 * MIB + 1
        _, part = self.fetch_stream(ref=self.repository, digest=desc.digest, offset=start, length=MIB)
        self.assertEqual(part, data[start : start + MIB])

        # Nothing has to be read to know that it is there, so the answer comes while the client still sends.
        again = self.descry.PushStream(messages(header, data)).receipt
        self.assertEqual(again.outcome, types.OUTCOME_EXISTED)

    def test_an_interrupted_push_goes_on(self):
        data = random.Random(2).randbytes(MIB)
        desc = descriptor(OCTETS, data)
        header = content.PushHeader(ref=self.repository, desc=desc)
        self.refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "SIZE_MISMATCH",
            lambda: self.descry.PushStream(messages(header, data[:700_000])),
        )
        state = self.prepare(desc).states[0]
        self.assertEqual((state.presence, state.offset), (content.PRESENCE_MISSING, 700_000))
        header.offset = state.offset
        receipt = self.descry.PushStream(messages(header, data[state.offset :])).receipt
        self.assertEqual(receipt.outcome, types.OUTCOME_CREATED)

    def test_errors_say_why(self):
        def resolve(ref):
            return lambda: self.descry.Resolve(content.ResolveRequest(ref=ref))

        missing = self.refused(grpc.StatusCode.NOT_FOUND, "TAG_UNKNOWN", resolve("descry.local/hello:none"))
        self.assertEqual(missing["ErrorInfo"].metadata["op"], "Resolve")
        invalid = self.refused(grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", resolve("descry.local/UPPER"))
        self.assertEqual([violation.field for violation in invalid["BadRequest"].field_violations], ["ref"])
        wrong = content.PushRequest(ref=self.repository, desc=descriptor(OCTETS, b"other data"), data=b"some bytes")
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH", lambda: self.descry.Push(wrong))
        absent = content.FetchStreamRequest(ref=HELLO, digest=sha256(b"nowhere"))
        self.refused(grpc.StatusCode.NOT_FOUND, "CONTENT_UNKNOWN", lambda: next(self.descry.FetchStream(absent)))

    def test_tags(self):
        pushed = []
        for name in ("first", "second"):
            data = json.dumps(
                {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"name": name}}
            ).encode()
            request = content.PushRequest(ref=self.repository, desc=descriptor(INDEX, data), data=data)
            self.assertEqual(self.descry.Push(request).receipt.outcome, types.OUTCOME_CREATED)
            self.assertEqual(self.descry.Push(request).receipt.outcome, types.OUTCOME_EXISTED)
            pushed.append(sha256(data))
        first, second = pushed

        def set_tag(tag, digest, condition=None):
            request = content.SetTagRequest(ref=f"{self.repository}:{tag}", digest=digest, if_current=condition)
            return self.descry.SetTag(request).receipt

        absent = types.TagCondition(absent=True)
        created = set_tag("v1", first, absent)
        self.assertEqual(created.outcome, types.OUTCOME_CREATED)
        self.assertEqual(created.condition_check, types.CONDITION_CHECK_ATOMIC)
        self.assertEqual(set_tag("v1", first, absent).outcome, types.OUTCOME_EXISTED)
        changed = self.refused(grpc.StatusCode.ABORTED, "TAG_CHANGED", lambda: set_tag("v1", second, absent))
        self.assertEqual(changed["ErrorInfo"].metadata["current_digest"], first)
        moved = set_tag("v1", second, types.TagCondition(digest=first))
        self.assertEqual(moved.previous_digest, first)
        set_tag("v2", first)
        set_tag("v3", first)

        tags, token = [], ""
        while True:
            request = content.ListTagsRequest(repository=self.repository, page_size=2, page_token=token)
            page = self.descry.ListTags(request)
            tags += [(tag.name, tag.digest) for tag in page.tags]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(tags, [("v1", second), ("v2", first), ("v3", first)])

        pinned = f"{self.repository}@{first}"
        asked = self.descry.Delete(content.DeleteRequest(ref=pinned, validate_only=True))
        self.assertEqual(list(asked.tags), ["v2", "v3"])
        self.assertTrue(self.descry.Delete(content.DeleteRequest(ref=pinned)).deleted)
        gone = content.ResolveRequest(ref=self.repository + ":v2")
        self.refused(grpc.StatusCode.NOT_FOUND, "TAG_UNKNOWN", lambda: self.descry.Resolve(gone))

    def test_a_cancelled_stream_leaves_the_channel_usable(self):
        data = random.Random(3).randbytes(8 * MIB)
        desc = descriptor(OCTETS, data)
        self.descry.PushStream(messages(content.PushHeader(ref=self.repository, desc=desc), data))
        stream = self.descry.FetchStream(content.FetchStreamRequest(ref=self.repository, digest=desc.digest))
        next(stream)
        stream.cancel()
        with self.assertRaises(grpc.RpcError) as caught:
            list(stream)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.CANCELLED)
        _, whole = self.fetch_stream(ref=self.repository, digest=desc.digest)
        self.assertEqual(sha256(whole), desc.digest)


if __name__ == "__main__":
    unittest.main()

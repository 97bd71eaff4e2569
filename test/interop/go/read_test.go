package interop

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"connectrpc.com/connect"

	descryv1 "descry.test/interop/gen/descry/v1"
	"descry.test/interop/gen/descry/v1/descryv1connect"
)

// manifest is what a walk needs of an OCI index or image manifest.
type manifest struct {
	Manifests []child `json:"manifests"`
	Config    *child  `json:"config"`
	Layers    []child `json:"layers"`
}

type child struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

func (m manifest) children() []child {
	children := append(m.Manifests, m.Layers...)
	if m.Config != nil {
		children = append(children, *m.Config)
	}
	return children
}

func TestResolve(t *testing.T) {
	overEveryWire(t, func(t *testing.T, client descryv1connect.ContentServiceClient, _ string) {
		answer, err := client.Resolve(t.Context(), &descryv1.ResolveRequest{Ref: hello})
		must(t, answer, err)
		equal(t, "ref", answer.GetRef(), hello)
		equal(t, "media type", answer.GetDesc().GetMediaType(), indexType)
		equal(t, "pinned_ref", answer.GetPinnedRef(), "descry.local/hello@"+answer.GetDesc().GetDigest())
		equal(t, "served_by", answer.GetFreshness().GetServedBy(), descryv1.ServedBy_SERVED_BY_STORE)
		if age := time.Since(answer.GetFreshness().GetObservedAt().AsTime()); age > time.Hour || age < -time.Hour {
			t.Fatalf("observed %v ago", age)
		}
	})
}

// The demo is an index of two images and their attestations: 1 index, 4 manifests, 4 configs, 4 layers.
func TestFetchWholeImage(t *testing.T) {
	overEveryWire(t, func(t *testing.T, client descryv1connect.ContentServiceClient, _ string) {
		root, err := client.Fetch(t.Context(), &descryv1.FetchRequest{Ref: hello})
		must(t, root, err)
		equal(t, "digest of the root", sha256Of(root.GetData()), root.GetDesc().GetDigest())
		seen := 0
		var walk func(mediaType string, data []byte)
		walk = func(mediaType string, data []byte) {
			seen++
			var parsed manifest
			if mediaType == indexType || mediaType == manifestType {
				must(t, parsed, json.Unmarshal(data, &parsed))
			}
			for _, child := range parsed.children() {
				answer, err := client.Fetch(t.Context(), &descryv1.FetchRequest{
					Ref: root.GetPinnedRef(), Digest: child.Digest, MediaType: child.MediaType,
				})
				must(t, answer, err)
				equal(t, "digest", sha256Of(answer.GetData()), child.Digest)
				equal(t, "size", answer.GetDesc().GetSize(), child.Size)
				equal(t, "verified", answer.GetVerified(), true)
				walk(child.MediaType, answer.GetData())
			}
		}
		walk(indexType, root.GetData())
		equal(t, "pieces of content", seen, 13)
	})
}

func TestErrorsSayWhy(t *testing.T) {
	overEveryWire(t, func(t *testing.T, client descryv1connect.ContentServiceClient, repository string) {
		_, err := client.Resolve(t.Context(), &descryv1.ResolveRequest{Ref: "descry.local/hello:none"})
		found := refusal(t, err, connect.CodeNotFound, "TAG_UNKNOWN")
		equal(t, "op", found.info.GetMetadata()["op"], "Resolve")

		_, err = client.Resolve(t.Context(), &descryv1.ResolveRequest{Ref: "descry.local/UPPER"})
		violations := refusal(t, err, connect.CodeInvalidArgument, "FIELD_INVALID").badRequest.GetFieldViolations()
		equal(t, "violations", len(violations), 1)
		equal(t, "field", violations[0].GetField(), "ref")

		// Not served yet: refused and never ignored.
		_, err = client.Resolve(t.Context(), &descryv1.ResolveRequest{Ref: hello, PinId: sha256Of(nil)})
		if code := connect.CodeOf(err); code != connect.CodeUnimplemented && code != connect.CodeNotFound {
			t.Fatalf("a pin that is not there: %v", err)
		}

		data := []byte("some bytes")
		wrong := descriptor(octets, []byte("other data"))
		_, err = client.Push(t.Context(), &descryv1.PushRequest{Ref: repository, Desc: wrong, Data: data})
		refusal(t, err, connect.CodeInvalidArgument, "DIGEST_MISMATCH")

		// In a stream the error comes after the header of HTTP, in trailers or the last envelope.
		stream, err := client.FetchStream(t.Context(), &descryv1.FetchStreamRequest{Ref: hello, Digest: sha256Of(data)})
		must(t, stream, err)
		defer stream.Close()
		equal(t, "a message before the error", stream.Receive(), false)
		refusal(t, stream.Err(), connect.CodeNotFound, "CONTENT_UNKNOWN")

		expired, cancel := context.WithTimeout(t.Context(), -time.Second)
		defer cancel()
		_, err = client.Resolve(expired, &descryv1.ResolveRequest{Ref: hello})
		equal(t, "code of a call without time", connect.CodeOf(err), connect.CodeDeadlineExceeded)
	})
}

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"connectrpc.com/connect"

	descryv1 "descry.test/interop/gen/descry/v1"
	"descry.test/interop/gen/descry/v1/descryv1connect"
)

func send(
	ctx context.Context,
	client descryv1connect.ContentServiceClient,
	header *descryv1.PushHeader,
	data []byte,
) (*descryv1.Receipt, error) {
	stream, err := client.PushStream(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(&descryv1.PushStreamRequest{Part: &descryv1.PushStreamRequest_Header{Header: header}})
	for start := 0; start < len(data) && err == nil; start += maxStreamMessage {
		chunk := data[start:min(start+maxStreamMessage, len(data))]
		err = stream.Send(&descryv1.PushStreamRequest{Part: &descryv1.PushStreamRequest_Data{Data: chunk}})
	}
	// The answer may come before all data was sent; then the sender reads io.EOF, and the answer counts.
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	answer, err := stream.CloseAndReceive()
	return answer.GetReceipt(), err
}

// receive reads a stream to its end and holds it to the contract: a header, then data in order and without gaps.
func receive(
	t *testing.T,
	client descryv1connect.ContentServiceClient,
	request *descryv1.FetchStreamRequest,
) (*descryv1.FetchHeader, []byte) {
	t.Helper()
	stream, err := client.FetchStream(t.Context(), request)
	must(t, stream, err)
	defer stream.Close()
	equal(t, "a first message", stream.Receive(), true)
	header := stream.Msg().GetHeader()
	if header == nil {
		t.Fatal("the first message is not the header")
	}
	var content bytes.Buffer
	for stream.Receive() {
		message := stream.Msg()
		equal(t, "offset", message.GetOffset(), request.GetOffset()+int64(content.Len()))
		if size := len(message.GetData()); size > maxStreamMessage {
			t.Fatalf("a message of %d bytes", size)
		}
		content.Write(message.GetData())
	}
	must(t, stream, stream.Err())
	return header, content.Bytes()
}

func presence(
	t *testing.T,
	client descryv1connect.ContentServiceClient,
	request *descryv1.PreparePushRequest,
) *descryv1.PreparePushResponse {
	t.Helper()
	answer, err := client.PreparePush(t.Context(), request)
	must(t, answer, err)
	equal(t, "states", len(answer.GetStates()), len(request.GetDescs()))
	return answer
}

func TestStream32MiB(t *testing.T) {
	overEveryWire(t, func(t *testing.T, client descryv1connect.ContentServiceClient, repository string) {
		data := randomBytes(t, 32<<20, repository)
		desc := descriptor(octets, data)
		prepare := &descryv1.PreparePushRequest{
			Repository: repository, Descs: []*descryv1.ContentDescriptor{desc},
		}
		equal(t, "before", presence(t, client, prepare).GetStates()[0].GetPresence(), descryv1.Presence_PRESENCE_MISSING)

		header := &descryv1.PushHeader{Ref: repository, Desc: desc}
		receipt, err := send(t.Context(), client, header, data)
		must(t, receipt, err)
		equal(t, "outcome", receipt.GetOutcome(), descryv1.Outcome_OUTCOME_CREATED)
		equal(t, "pinned_ref", receipt.GetPinnedRef(), repository+"@"+desc.GetDigest())

		after := presence(t, client, prepare)
		equal(t, "after", after.GetStates()[0].GetPresence(), descryv1.Presence_PRESENCE_PRESENT)
		equal(t, "held_until", after.GetHeldUntil().IsValid(), true)
		other := &descryv1.PreparePushRequest{
			Repository: repository + "/other", Descs: prepare.GetDescs(), MountFrom: []string{repository},
		}
		equal(t, "mount", presence(t, client, other).GetStates()[0].GetPresence(), descryv1.Presence_PRESENCE_MOUNTED)

		fetched, content := receive(t, client, &descryv1.FetchStreamRequest{Ref: repository, Digest: desc.GetDigest()})
		equal(t, "verified", fetched.GetVerified(), true)
		equal(t, "size", fetched.GetDesc().GetSize(), desc.GetSize())
		equal(t, "content", sha256Of(content), desc.GetDigest())

		from, length := int64(20<<20+1), int64(1<<20)
		_, part := receive(t, client, &descryv1.FetchStreamRequest{
			Ref: repository, Digest: desc.GetDigest(), Offset: from, Length: length,
		})
		equal(t, "a slice", bytes.Equal(part, data[from:from+length]), true)

		// Nothing has to be read to know that it is there, so the answer comes while the client still sends.
		receipt, err = send(t.Context(), client, header, data)
		must(t, receipt, err)
		equal(t, "outcome of the second push", receipt.GetOutcome(), descryv1.Outcome_OUTCOME_EXISTED)
	})
}

func TestInterruptedPushGoesOn(t *testing.T) {
	overEveryWire(t, func(t *testing.T, client descryv1connect.ContentServiceClient, repository string) {
		data := randomBytes(t, 1<<20, "interrupted "+repository)
		desc := descriptor(octets, data)
		_, err := send(t.Context(), client, &descryv1.PushHeader{Ref: repository, Desc: desc}, data[:700_000])
		refusal(t, err, connect.CodeInvalidArgument, "SIZE_MISMATCH")

		state := presence(t, client, &descryv1.PreparePushRequest{
			Repository: repository, Descs: []*descryv1.ContentDescriptor{desc},
		}).GetStates()[0]
		equal(t, "presence", state.GetPresence(), descryv1.Presence_PRESENCE_MISSING)
		equal(t, "offset", state.GetOffset(), 700_000)

		_, err = send(t.Context(), client, &descryv1.PushHeader{Ref: repository, Desc: desc, Offset: 5}, data[5:])
		found := refusal(t, err, connect.CodeAborted, "OFFSET_MISMATCH")
		equal(t, "metadata offset", found.info.GetMetadata()["offset"], "700000")

		header := &descryv1.PushHeader{Ref: repository, Desc: desc, Offset: state.GetOffset()}
		receipt, err := send(t.Context(), client, header, data[state.GetOffset():])
		must(t, receipt, err)
		equal(t, "outcome", receipt.GetOutcome(), descryv1.Outcome_OUTCOME_CREATED)
	})
}

// emptyIndex is a valid manifest without children, one for each name.
func emptyIndex(t *testing.T, name string) []byte {
	data, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": indexType, "manifests": []any{}, "annotations": map[string]string{"name": name},
	})
	return must(t, data, err)
}

func TestTags(t *testing.T) {
	overEveryWire(t, func(t *testing.T, client descryv1connect.ContentServiceClient, repository string) {
		repository += "/tags"
		first, second := emptyIndex(t, "first"), emptyIndex(t, "second")
		for _, data := range [][]byte{first, second} {
			answer, err := client.Push(t.Context(), &descryv1.PushRequest{
				Ref: repository, Desc: descriptor(indexType, data), Data: data,
			})
			must(t, answer, err)
			// The same bytes again are a success that says so.
			answer, err = client.Push(t.Context(), &descryv1.PushRequest{
				Ref: repository, Desc: descriptor(indexType, data), Data: data,
			})
			equal(t, "again", must(t, answer, err).GetReceipt().GetOutcome(), descryv1.Outcome_OUTCOME_EXISTED)
		}
		set := func(tag string, data []byte, condition *descryv1.TagCondition) (*descryv1.Receipt, error) {
			answer, err := client.SetTag(t.Context(), &descryv1.SetTagRequest{
				Ref: repository + ":" + tag, Digest: sha256Of(data), IfCurrent: condition,
			})
			return answer.GetReceipt(), err
		}
		absent := &descryv1.TagCondition{Absent: true}
		receipt, err := set("v1", first, absent)
		must(t, receipt, err)
		equal(t, "outcome", receipt.GetOutcome(), descryv1.Outcome_OUTCOME_CREATED)
		equal(t, "check", receipt.GetConditionCheck(), descryv1.ConditionCheck_CONDITION_CHECK_ATOMIC)
		// A retry after a lost answer.
		receipt, err = set("v1", first, absent)
		equal(t, "again", must(t, receipt, err).GetOutcome(), descryv1.Outcome_OUTCOME_EXISTED)

		_, err = set("v1", second, absent)
		found := refusal(t, err, connect.CodeAborted, "TAG_CHANGED")
		equal(t, "current_digest", found.info.GetMetadata()["current_digest"], sha256Of(first))
		receipt, err = set("v1", second, &descryv1.TagCondition{Digest: sha256Of(first)})
		equal(t, "previous", must(t, receipt, err).GetPreviousDigest(), sha256Of(first))
		_, err = set("v2", []byte("not there"), nil)
		refusal(t, err, connect.CodeNotFound, "CONTENT_UNKNOWN")

		for _, tag := range []string{"v2", "v3"} {
			receipt, err = set(tag, first, nil)
			must(t, receipt, err)
		}
		var names []string
		for token, more := "", true; more; {
			page, err := client.ListTags(t.Context(), &descryv1.ListTagsRequest{
				Repository: repository, PageSize: 2, PageToken: token,
			})
			must(t, page, err)
			for _, tag := range page.GetTags() {
				names = append(names, tag.GetName()+" "+tag.GetDigest())
			}
			token = page.GetNextPageToken()
			more = token != ""
		}
		equal(t, "tags", len(names), 3)
		equal(t, "v1", names[0], "v1 "+sha256Of(second))
		equal(t, "v2", names[1], "v2 "+sha256Of(first))
		equal(t, "v3", names[2], "v3 "+sha256Of(first))

		request := &descryv1.DeleteRequest{Ref: repository + "@" + sha256Of(first), ValidateOnly: true}
		asked, err := client.Delete(t.Context(), request)
		equal(t, "tags that would go", len(must(t, asked, err).GetTags()), 2)
		request.ValidateOnly = false
		done, err := client.Delete(t.Context(), request)
		equal(t, "deleted", must(t, done, err).GetDeleted(), true)
		_, err = client.Resolve(t.Context(), &descryv1.ResolveRequest{Ref: repository + ":v2"})
		refusal(t, err, connect.CodeNotFound, "TAG_UNKNOWN")
	})
}

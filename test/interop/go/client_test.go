// Package interop is a client of descry made of nothing but proto/descry/v1 and the generators of protobuf-go and
// connect-go. Its tests talk to the server at DESCRY_URL, one that was started with --demo.
package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	descryv1 "descry.test/interop/gen/descry/v1"
	"descry.test/interop/gen/descry/v1/descryv1connect"
)

const (
	hello        = "descry.local/hello:latest"
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	octets       = "application/octet-stream"
	// The contract's limit for one message of FetchStream.
	maxStreamMessage = 256 << 10
)

// A wire is one way in which connect-go talks.
type wire struct {
	name    string
	http2   bool
	options []connect.ClientOption
}

var wires = []wire{
	{"connect-http1", false, []connect.ClientOption{connect.WithHTTPGet()}},
	{"connect-json-http1", false, []connect.ClientOption{connect.WithProtoJSON()}},
	{"connect-http2", true, nil},
	{"grpc", true, []connect.ClientOption{connect.WithGRPC()}},
	{"grpcweb-http1", false, []connect.ClientOption{connect.WithGRPCWeb()}},
	{"grpcweb-http2", true, []connect.ClientOption{connect.WithGRPCWeb()}},
}

// overEveryWire runs a test once for each wire, with a repository of its own.
func overEveryWire(t *testing.T, test func(t *testing.T, client descryv1connect.ContentServiceClient, repository string)) {
	url := os.Getenv("DESCRY_URL")
	if url == "" {
		t.Fatal("DESCRY_URL is not set")
	}
	for _, wire := range wires {
		t.Run(wire.name, func(t *testing.T) {
			transport := &http.Transport{Protocols: new(http.Protocols)}
			transport.Protocols.SetHTTP1(!wire.http2)
			transport.Protocols.SetUnencryptedHTTP2(wire.http2)
			t.Cleanup(transport.CloseIdleConnections)
			client := descryv1connect.NewContentServiceClient(&http.Client{Transport: transport}, url, wire.options...)
			test(t, client, "descry.local/go/"+wire.name)
		})
	}
}

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

func sha256Of(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func descriptor(mediaType string, data []byte) *descryv1.ContentDescriptor {
	return &descryv1.ContentDescriptor{MediaType: mediaType, Digest: sha256Of(data), Size: int64(len(data))}
}

// randomBytes is bytes that no compression makes smaller, the same for the same seed.
func randomBytes(t *testing.T, size int, seed string) []byte {
	data := make([]byte, size)
	_, err := io.ReadFull(rand.NewChaCha8(sha256.Sum256([]byte(seed))), data)
	return must(t, data, err)
}

// details are what an error carries beside its code.
type details struct {
	info       *errdetails.ErrorInfo
	badRequest *errdetails.BadRequest
}

// refusal checks an error's code and reason and gives its details, decoded by Google's own types.
func refusal(t *testing.T, err error, code connect.Code, reason string) details {
	t.Helper()
	var failure *connect.Error
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want a connect error", err)
	}
	equal(t, "code", failure.Code(), code)
	var found details
	for _, detail := range failure.Details() {
		value, err := detail.Value()
		switch message := must(t, value, err).(type) {
		case *errdetails.ErrorInfo:
			found.info = message
		case *errdetails.BadRequest:
			found.badRequest = message
		}
	}
	if found.info == nil {
		t.Fatalf("%v carries no ErrorInfo", failure)
	}
	equal(t, "domain", found.info.GetDomain(), "descry")
	equal(t, "reason", found.info.GetReason(), reason)
	return found
}

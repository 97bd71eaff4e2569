// The declarations of @connectrpc/connect name this type of lib "dom", which a Node program does not load.
type HeadersInit = ConstructorParameters<typeof Headers>[0];

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { output } from "./command.ts";

/** The Go module whose go.mod pins every Go program used here (`tool` directives) and go.sum its bytes. */
export const goModule = join(import.meta.dirname, "go");

const packages = {
  crane: "github.com/google/go-containerregistry/cmd/crane",
  grpcurl: "github.com/fullstorydev/grpcurl/cmd/grpcurl",
  "protoc-gen-connect-go": "connectrpc.com/connect/cmd/protoc-gen-connect-go",
  "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go",
} as const;

export type GoTool = keyof typeof packages;

/** Compiles tools into a directory, through Go's own caches. Each is then `join(directory, tool)`. */
export async function buildGoTools(directory: string, tools: readonly GoTool[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  const wanted = tools.map((tool) => packages[tool]);
  await output("go", ["build", "-mod=readonly", "-o", `${directory}/`, ...wanted], { cwd: goModule });
}

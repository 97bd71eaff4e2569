import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../support/server.ts";
import { dial } from "../support/raw.ts";

// RFC 9113 §6.5.2 and §11.2.
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
const MAX_CONCURRENT_STREAMS = 3;
const INITIAL_WINDOW_SIZE = 4;
const MAX_HEADER_LIST_SIZE = 6;
/** The window of every new connection (§6.9.2). */
const FIRST_WINDOW = 65_535;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The server's frames after a client's preface, up to its acknowledgement of the client's SETTINGS. */
async function greeting(): Promise<readonly Frame[]> {
  const socket = dial(server.http);
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(Buffer.from([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]));
  const frames: Frame[] = [];
  let rest = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      const frame = { type: rest.readUInt8(3), flags: rest.readUInt8(4), stream: rest.readUInt32BE(5) };
      frames.push({ ...frame, payload: rest.subarray(9, end) });
      rest = rest.subarray(end);
    }
    if (frames.some(({ type, flags }) => type === SETTINGS && flags === 1)) break;
  }
  return frames;
}

/**
 * 4 MiB and 16 MiB carry 200 MiB/s and 800 MiB/s over a round trip of 20 ms; the issue asks for windows sized for it.
 */
test("the HTTP/2 windows are wide enough for a link of 20 ms, and everything is bounded", async () => {
  const frames = await greeting();
  const settings = frames.find(({ type, flags }) => type === SETTINGS && flags === 0)?.payload ?? Buffer.alloc(0);
  const values = new Map<number, number>();
  for (let at = 0; at < settings.length; at += 6) values.set(settings.readUInt16BE(at), settings.readUInt32BE(at + 2));
  expect(values.get(INITIAL_WINDOW_SIZE)).toBe(4 * 1024 * 1024);
  expect(values.get(MAX_CONCURRENT_STREAMS)).toBe(100);
  expect(values.get(MAX_HEADER_LIST_SIZE)).toBe(48 * 1024);
  const update = frames.find(({ type, stream }) => type === WINDOW_UPDATE && stream === 0);
  expect(FIRST_WINDOW + (update?.payload.readUInt32BE() ?? 0)).toBe(16 * 1024 * 1024);
});

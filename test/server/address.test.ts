import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DescryError } from "../../src/oci/errors.ts";
import { checkExposure, formatListen, isLoopback, parseListen } from "../../src/server/address.ts";

describe("parseListen", () => {
  test.each([
    ["http://127.0.0.1:7070", { kind: "tcp", host: "127.0.0.1", port: 7070, tls: false }],
    ["http://localhost:0", { kind: "tcp", host: "localhost", port: 0, tls: false }],
    ["http://[::1]:7070", { kind: "tcp", host: "::1", port: 7070, tls: false }],
    ["https://0.0.0.0:7443", { kind: "tcp", host: "0.0.0.0", port: 7443, tls: true }],
    ["https://descry.example", { kind: "tcp", host: "descry.example", port: 443, tls: true }],
    ["http://descry.example/", { kind: "tcp", host: "descry.example", port: 80, tls: false }],
    ["unix:///run/descry/descry.sock", { kind: "unix", path: "/run/descry/descry.sock" }],
    ["unix:///run/with space", { kind: "unix", path: "/run/with space" }],
  ])("%s", (text, address) => {
    expect(parseListen(text)).toEqual(address);
  });

  test.each([
    "",
    "7070",
    "127.0.0.1:7070",
    "tcp://127.0.0.1:7070",
    "http://",
    "http://:7070",
    "http://127.0.0.1:70700",
    "http://127.0.0.1:7070/path",
    "http://127.0.0.1:7070/?q",
    "http://user@127.0.0.1:7070",
    "unix://descry.sock",
    "unix:descry.sock",
    "unix:///",
    `unix:///${"x".repeat(103)}`,
    "unix:///a\0b",
  ])("refuses %j", (text) => {
    expect(() => parseListen(text)).toThrow(
      expect.objectContaining({ reason: "FIELD_INVALID", violations: [expect.objectContaining({ field: "listen" })] }),
    );
  });

  test("reads what formatListen writes, and throws nothing but DescryErrors", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.ipV6().map((ip) => `https://[${ip}]:1`),
          fc.string(),
        ),
        (text) => {
          try {
            const address = parseListen(text);
            expect(parseListen(formatListen(address))).toEqual(address);
          } catch (error) {
            expect(error).toBeInstanceOf(DescryError);
          }
        },
      ),
    );
  });
});

test.each([
  ["127.0.0.1", true],
  ["127.255.255.254", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["localhost", true],
  ["a.localhost", true],
  ["128.0.0.1", false],
  ["0.0.0.0", false],
  ["::", false],
  ["::2", false],
  ["10.0.0.1", false],
  ["localhost.example", false],
  ["mylocalhost", false],
])("%s is loopback: %j", (host, loopback) => {
  expect(isLoopback(host)).toBe(loopback);
});

describe("checkExposure", () => {
  const nobody = { callers: false, insecureAllowAnonymous: false };
  test.each([
    ["http://127.0.0.1:7070", true],
    ["http://[::1]:7070", true],
    ["http://localhost:7070", true],
    ["unix:///run/descry.sock", true],
    ["http://0.0.0.0:7070", false],
    ["https://[::]:7443", false],
    ["http://192.168.1.5:7070", false],
    ["https://descry.example:7443", false],
  ])("%s may be opened to anybody: %j", (text, harmless) => {
    const listen = [parseListen("http://127.0.0.1:1"), parseListen(text)];
    if (harmless) expect(() => checkExposure(listen, nobody)).not.toThrow();
    else
      expect(() => checkExposure(listen, nobody)).toThrow(
        expect.objectContaining({ reason: "FIELD_INVALID", message: expect.stringContaining(text) }),
      );
    expect(() => checkExposure(listen, { ...nobody, callers: true })).not.toThrow();
    expect(() => checkExposure(listen, { ...nobody, insecureAllowAnonymous: true })).not.toThrow();
  });
});

import { Code, createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { createHealth } from "../../src/server/health.ts";

function start() {
  const state = createHealth();
  const transport = createRouterTransport((router) => state.register(router, new Set(["descry.v1.ContentService"])));
  return { state, health: createClient(Health, transport) };
}

/** grpc/grpc, doc/health-checking.md. */
describe("grpc.health.v1", () => {
  test.each(["", "descry.v1.ContentService"])("Check %j follows the state", async (service) => {
    const { state, health } = start();
    expect((await health.check({ service })).status).toBe(Status.SERVING);
    state.setServing(false);
    expect((await health.check({ service })).status).toBe(Status.NOT_SERVING);
    state.setServing(true);
    expect((await health.check({ service })).status).toBe(Status.SERVING);
  });

  test("Check of a service that is not here is NOT_FOUND", async () => {
    await expect(start().health.check({ service: "a.B" })).rejects.toMatchObject({ code: Code.NotFound });
  });

  test("Watch tells the state and each change of it, once", async () => {
    const { state, health } = start();
    const heard: Status[] = [];
    for await (const { status } of health.watch({})) {
      heard.push(status);
      if (heard.length === 1) state.setServing(true);
      if (heard.length === 1) state.setServing(false);
      if (heard.length === 2) state.setServing(true);
      if (heard.length === 3) state.end();
    }
    expect(heard).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING]);
  });

  test("Watch of a service that is not here says so, and goes on", async () => {
    const { state, health } = start();
    const heard: Status[] = [];
    for await (const { status } of health.watch({ service: "a.B" })) {
      heard.push(status);
      state.end();
    }
    expect(heard).toEqual([Status.SERVICE_UNKNOWN]);
  });

  test("a Watch that is broken off ends", async () => {
    const { health } = start();
    const stop = new AbortController();
    const watching = (async () => {
      for await (const _ of health.watch({}, { signal: stop.signal })) stop.abort();
    })();
    await expect(watching).rejects.toMatchObject({ code: Code.Canceled });
  });

  test("an end is for good", () => {
    const { state } = start();
    state.end();
    state.setServing(true);
    expect(state.serving).toBe(false);
  });
});

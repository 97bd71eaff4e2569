import type { RuleTester } from "oxlint/plugins-dev";

type Rule = Parameters<RuleTester["run"]>[1];

/** Where a node stands in its file. */
type Ranged = { readonly range: [number, number]; readonly start: number; readonly end: number };

const globals: ReadonlySet<string> = new Set(["setTimeout", "setInterval"]);
const members: ReadonlySet<string> = new Set([
  "Date.now",
  "performance.now",
  "Math.random",
  "crypto.randomUUID",
  "crypto.getRandomValues",
  "globalThis.setTimeout",
  "globalThis.setInterval",
]);
/** What of a module must not be imported; an empty list stands for all of it. */
const imports: Readonly<Record<string, readonly string[]>> = {
  "node:crypto": ["randomBytes", "randomFill", "randomFillSync", "randomInt", "randomUUID"],
  "node:timers": [],
  "node:timers/promises": [],
};

/**
 * The clock and randomness are given, not taken, so that expiry, jitter and names can be tested (design, decision C).
 * The files that take them from the machine are listed, with reasons, in .oxlintrc.json.
 */
export const noAmbient: Rule = {
  meta: {
    messages: { ambient: "{{what}} cannot be tested from outside; let the caller give it" },
    // Names that the files in question may use after all.
    schema: { type: "array", items: { type: "string" } },
  },
  create(context) {
    const report = (node: Ranged, what: string): void => {
      if (!context.options.includes(what)) context.report({ node, messageId: "ambient", data: { what } });
    };
    return {
      Identifier(node) {
        if (globals.has(node.name) && context.sourceCode.isGlobalReference(node)) report(node, node.name);
      },
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
        const what = `${node.object.name}.${node.property.name}`;
        if (members.has(what) && context.sourceCode.isGlobalReference(node.object)) report(node, what);
      },
      NewExpression(node) {
        if (node.callee.type === "Identifier" && node.callee.name === "Date" && node.arguments.length === 0)
          report(node, "new Date()");
      },
      ImportDeclaration(node) {
        const banned = imports[node.source.value];
        if (banned === undefined) return;
        for (const specifier of node.specifiers) {
          const name =
            specifier.type === "ImportSpecifier" && specifier.imported.type === "Identifier"
              ? specifier.imported.name
              : "everything";
          if (banned.length === 0 || banned.includes(name)) report(specifier, `${name} of ${node.source.value}`);
        }
      },
    };
  },
};

const plugin: { readonly meta: { readonly name: string }; readonly rules: Readonly<Record<string, Rule>> } = {
  meta: { name: "descry" },
  rules: { "no-ambient": noAmbient },
};
export default plugin;

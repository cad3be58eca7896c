// For `asc --transform`: makes a module of an author's file. It adds a source that exports what the contract asks for and
// calls the author's functions, and gives those exports the contract's names, which AssemblyScript cannot write.

const USER = 0;
const USER_ENTRY = 1;

const EXPORTS = `
export { cabi_realloc } from "pointsman/src/module";
import { begin, decided } from "pointsman/src/module";
import { selectPeer } from "./router";
export function __select_peer(handle: i32): usize {
  const request = begin(handle);
  return decided(request, selectPeer(request));
}
`;

// The text that the host gives is what \`config.json\` gives.
const CONFIGURE = `
import { configured } from "pointsman/src/module";
import { configure } from "./router";
export function __configure(text: usize, length: i32): usize {
  configure();
  return configured();
}
`;

// Not a subclass of AssemblyScript's `Transform`: that would have to be found from this folder.
export default class PointsmanTransform {
  afterParse(parser) {
    const isRouter = (source) => source.sourceKind === USER_ENTRY && /(^|\/)router$/.test(source.internalPath);
    const router = parser.sources.find(isRouter);
    if (!router) throw new Error("the file to compile is router.ts");
    // What the author exports is for tests and for us, not for the host.
    router.sourceKind = USER;
    const isConfigured = router.statements.some((statement) => statement.signature && statement.name.text === "configure");
    const path = router.internalPath.replace(/router$/, "exports.ts");
    parser.parseFile(isConfigured ? EXPORTS + CONFIGURE : EXPORTS, path, true);
  }

  afterCompile(module) {
    for (const [ours, contract] of [["__select_peer", "select-peer"], ["__configure", "configure"]]) {
      const found = module.getExport(ours);
      if (!found) continue;
      const { value } = this.binaryen.getExportInfo(found);
      module.removeExport(ours);
      module.addFunctionExport(value, contract);
    }
  }
}

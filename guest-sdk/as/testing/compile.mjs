// From an author's folder to a core module.

import { createRequire } from "node:module";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const SDK = fileURLToPath(new URL("..", import.meta.url));

/**
 * Compiles `assembly/router.ts` of a folder. AssemblyScript is found as `node` finds packages from that folder, or in
 * `NODE_PATH`.
 */
export async function compile(path) {
  const folder = resolve(path);
  const asc = await import(pathToFileURL(createRequire(join(folder, "package.json")).resolve("assemblyscript/dist/asc.js")));
  // The compiler looks for the package `pointsman` in a folder of that name.
  const packages = await mkdtemp(join(tmpdir(), "pointsman-"));
  try {
    const sdk = join(packages, "pointsman");
    await cp(SDK, sdk, { recursive: true, filter: (path) => !relative(SDK, path).startsWith("node_modules") });
    let binary;
    const writeFile = (name, contents) => name.endsWith(".wasm") && (binary = contents);
    const { error, stderr } = await asc.main(
      [
        "assembly/router.ts",
        ...["--baseDir", folder, "--outFile", "router.wasm", "--runtime", "stub", "--path", packages],
        ...["--transform", join(sdk, "transform.mjs"), "--use", "abort=~lib/pointsman/src/module/abort"],
      ],
      { writeFile },
    );
    if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
    return binary;
  } finally {
    await rm(packages, { recursive: true });
  }
}

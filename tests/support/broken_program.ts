/** The program with a part that throws once it serves: what a defect of ours does to it. */
import { environment, parseConfig } from "../../config.ts";
import { run } from "../../main.ts";

await run(() => parseConfig(environment()), () => {}, () => {
  throw new Error("a defect");
});

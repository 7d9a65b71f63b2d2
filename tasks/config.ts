/**
 * `deno task config`: every setting as `deno task start` would take it from the variables here, its
 * value, where it comes from, its default and what it is. Ends with status 1 if the server wouldn't
 * start with them.
 */
// deno-lint-ignore-file no-console
import {
  environment,
  problemsOf,
  readSetting,
  type Setting,
  settings,
  type Variables,
} from "../config.ts";

/** A setting in lines to read; the text of a secret is never among them. */
function settingLines(setting: Setting<unknown>, variables: Variables): readonly string[] {
  const { text, from } = readSetting(setting, variables);
  const value = text === undefined ? "" : setting.secret ? "(secret)" : text;
  const byDefault = setting.default === undefined ? "none" : setting.default || "empty";
  return [
    `${setting.name}=${value}`,
    `  ${setting.about}`,
    `  ${setting.type}; default: ${byDefault}; from: ${from}` +
    (setting.alias === undefined ? "" : `; other name: ${setting.alias}`),
  ];
}

if (import.meta.main) {
  const variables = environment();
  for (const setting of Object.values(settings)) {
    console.log(settingLines(setting, variables).join("\n"));
  }
  const problems = problemsOf(variables);
  if (problems.length > 0) {
    console.error(`\nThe server would not start:\n${problems.join("\n")}`);
    Deno.exit(1);
  }
}

// Judges answers by the script of a page of exercises, without a browser: questions and answers are JSON on stdin, a list of
// [page's data, number of the question, what is typed]; verdicts come to stdout. The script is the first argument.
import fs from "node:fs";

const script = fs.readFileSync(process.argv[2], "utf8");
const found = JSON.parse(fs.readFileSync(0, "utf8")).map(([data, number, typed]) => {
  const page = { getElementById: () => ({ textContent: data }) };
  new Function("document", script)(page);
  const { judge, functions, data: read, Problem } = page.answers;
  try {
    return { functions, ...judge(read.questions[number - 1], typed) };
  } catch (error) {
    if (!(error instanceof Problem)) { throw error; }
    return { problem: error.message, at: error.at, end: error.end };
  }
});
process.stdout.write(JSON.stringify(found));

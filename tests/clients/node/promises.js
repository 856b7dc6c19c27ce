// Promises, each a sentence and a function, told as TAP: `ok - <sentence>` or `not ok - <sentence>: why`.
const promises = [];

/** Registers a function that throws where the promise is broken. */
export const promise = (sentence, keep) => promises.push({ sentence, keep });

/** Tries every promise, in the order they were made; the exit code. */
export async function keepAll() {
  let broken = 0;
  for (const { sentence, keep } of promises) {
    try {
      await keep();
      console.log(`ok - ${sentence}`);
    } catch (error) {
      broken += 1;
      console.log(`not ok - ${sentence}: ${why(error)}`);
    }
  }
  console.log(`1..${promises.length}`);
  return broken ? 1 : 0;
}

/** The error in one line, with its cause and the line of the suite that it came from. */
function why(error) {
  const [line = ""] = (error.stack ?? "").match(/[a-z]+\.js:\d+(?=:\d+\)?$)/m) ?? [];
  const cause = error.cause ? ` (${error.cause.message ?? error.cause})` : "";
  return `${error.name} at ${line}: ${error.message}${cause}`.replaceAll("\n", " ");
}

/** The error that the function ends with; none is an error. */
export async function fails(ask) {
  let answer;
  try {
    answer = await ask();
  } catch (error) {
    return error;
  }
  throw new Error(`no error, but ${JSON.stringify(answer).slice(0, 200)}`);
}

/** Everything that a stream brings. */
export async function all(stream) {
  const parts = [];
  for await (const part of await stream) parts.push(part);
  return parts;
}

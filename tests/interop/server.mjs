// What the authorization servers of the interop tests have in common: a process of their own on a free port of 127.0.0.1,
// a folder of their own that goes with them, and an end when stdin closes.
import { spawn, execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const folder = mkdtempSync(join(tmpdir(), 'bearergate-interop-'));
let child;

function end(status) {
  if (child?.exitCode === null) {
    try {
      // The whole group: some servers have workers.
      process.kill(-child.pid, 'SIGKILL');
    } catch { /* it has just ended */ }
  }
  rmSync(folder, { recursive: true, force: true });
  process.exit(status);
}

/** A port that nobody had a moment ago. */
export function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Starts the server's own program, and waits until `url` answers. */
export async function start(command, args, url, env = {}) {
  child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  child.on('error', (error) => fail(`${command}: ${error.message}`));
  child.on('exit', (code) => fail(`${command} ended with ${code}`));
  for (let tries = 0; tries < 600; tries += 1) {
    try {
      if ((await fetch(url)).status < 500) return;
    } catch { /* not yet */ }
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  fail(`${command} does not answer at ${url}`);
}

export function fail(reason) {
  console.error(reason);
  end(1);
}

/** The files of Debian packages. */
export function filesOf(...packages) {
  return execFileSync('dpkg', ['-L', ...packages], { encoding: 'utf8' }).split('\n');
}

/** Says that the server is ready, and obeys the lines of stdin until it closes. */
export function ready(state, obey = () => ({})) {
  const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const orders = createInterface({ input: process.stdin });
  orders.on('line', (order) => tell(obey(order)));
  orders.on('close', () => end(0));
  tell({ ready: true, ...state });
}

process.on('uncaughtException', (error) => fail(error.stack));
process.on('SIGTERM', () => end(0));

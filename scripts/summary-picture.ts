/**
 * docs/summary.png: the job summary of `npm run demo`, rendered with GitHub's stylesheet and Mermaid in Chromium. The
 * renderers are no dependency of this project: they are fetched into a temporary folder, at the versions named here.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const RENDERERS = ['marked@17.0.1', 'mermaid@11.12.2', 'github-markdown-css@5.8.1'];
const CHROMIUM = process.env['CHROMIUM'] ?? 'chromium';

const root = join(import.meta.dirname, '..');
const home = mkdtempSync(join(tmpdir(), 'summary-picture-'));
try {
  const demo = execFileSync(process.execPath, [join(root, 'emulator', 'demo.ts')], { cwd: root, encoding: 'utf8' });
  const markdown = /── The job summary \(Markdown\) ─+\n([\s\S]*?)\n\n── /.exec(demo)?.[1];
  if (markdown === undefined) throw new Error('the demo printed no summary');

  writeFileSync(join(home, 'package.json'), '{"private":true}');
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...RENDERERS], {
    cwd: home,
    stdio: 'inherit',
  });
  const style = readFileSync(join(home, 'node_modules', 'github-markdown-css', 'github-markdown-light.css'), 'utf8');
  writeFileSync(
    join(home, 'summary.html'),
    `<!doctype html><meta charset="utf-8"><style>${style} body { margin: 24px; } .mermaid { background: none; }</style>
<article class="markdown-body" id="summary"></article>
<script src="node_modules/mermaid/dist/mermaid.min.js"></script>
<script src="node_modules/marked/lib/marked.umd.js"></script>
<script>
  document.getElementById('summary').innerHTML = marked.parse(${JSON.stringify(markdown)});
  for (const code of document.querySelectorAll('code.language-mermaid')) {
    const chart = document.createElement('pre');
    chart.className = 'mermaid';
    chart.textContent = code.textContent;
    code.parentElement.replaceWith(chart);
  }
  document.querySelector('details').open = true;
  mermaid.initialize({ startOnLoad: true });
</script>`,
  );
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
  execFileSync(
    CHROMIUM,
    [
      ...flags,
      `--user-data-dir=${join(home, 'profile')}`,
      '--window-size=1100,860',
      '--hide-scrollbars',
      '--virtual-time-budget=8000',
      `--screenshot=${join(root, 'docs', 'summary.png')}`,
      `file://${join(home, 'summary.html')}`,
    ],
    { stdio: 'ignore', timeout: 60_000 },
  );
} finally {
  rmSync(home, { recursive: true, force: true });
}

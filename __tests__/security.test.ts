/** docs/security.md names a test for each threat, and every link in it leads somewhere. */
import { expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const docs = join(import.meta.dirname, '..', 'docs');
const text = readFileSync(join(docs, 'security.md'), 'utf8');
const [, threats = ''] = /\n## Threats\n([^]*?)\n## /.exec(text) ?? [];
const rows = threats
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()));
const linksIn = (markdown: string): string[] => [...markdown.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);

test('there is one table of threats, and each row is complete', () => {
  expect(rows.length).toBeGreaterThan(20);
  for (const cells of rows) {
    expect(cells).toHaveLength(6);
    expect(cells.slice(1, 5)).not.toContain('');
  }
});

test.each(rows.map(([, threat = '', , , tests = '']) => [threat, tests]))('%s: the test that shows it', (_, tests) => {
  const files = linksIn(tests);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    expect(file).toMatch(/^\.\.\/__tests__\/.*\.test\.ts$/);
    expect([file, existsSync(join(docs, file))]).toEqual([file, true]);
    expect(readFileSync(join(docs, file), 'utf8')).toMatch(/\btest(?:\.each)?[(<]/);
  }
});

test('every file and heading that it links to is there', () => {
  for (const link of linksIn(text)) {
    const [file = '', heading] = link.split('#');
    const path = join(docs, file);
    expect([link, existsSync(path)]).toEqual([link, true]);
    if (heading === undefined) continue;
    const slugs = [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} -]/gu, '')
        .replaceAll(' ', '-'),
    );
    expect([link, slugs.includes(heading)]).toEqual([link, true]);
  }
});

import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import { foreignText } from './scripts/eslint/foreign-text.ts';

export default tseslint.config(
  { ignores: ['dist/', 'lib/', 'coverage/'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.js'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: 'error',
    },
  },
  { files: ['*.js', 'bench/*.mjs', 'scripts/clients/*.mjs'], extends: [tseslint.configs.disableTypeChecked] },
  {
    files: ['scripts/clients/*.mjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', fetch: 'readonly' } },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/text/*.ts'],
    plugins: { local: { rules: { 'foreign-text': foreignText } } },
    rules: { 'local/foreign-text': 'error' },
  },
  {
    // Control characters are exactly what the cleaning of foreign text is about.
    rules: { 'no-control-regex': 'off' },
  },
);

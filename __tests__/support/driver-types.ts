/** @module __tests__/support/driver-types: the option names of the installed Node driver's types, as the TypeScript compiler sees them. */
import { join } from 'node:path';
import ts from 'typescript';

/** Names of the properties of the exported types of the module `mongodb`, by type. */
export function optionNames(types: readonly string[]): Record<string, string[]> {
  const file = join(__dirname, '..', '..', 'node_modules', 'mongodb', 'mongodb.d.ts');
  const { Node16 } = ts.ModuleKind;
  const resolution = ts.ModuleResolutionKind.Node16;
  const options = { module: Node16, moduleResolution: resolution, target: ts.ScriptTarget.ES2022, types: [], skipLibCheck: true };
  const program = ts.createProgram([file], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`no types in ${file}`);
  const found: Record<string, string[]> = {};
  for (const symbol of checker.getExportsOfModule(module)) {
    if (!types.includes(symbol.name)) continue;
    const properties = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol));
    found[symbol.name] = properties.map(({ name }) => name).toSorted();
  }
  return found;
}

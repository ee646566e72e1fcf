/** The host of an address of the web; of anything else nothing, so that it is no link. */
export function hostOf(url: string): string | undefined {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return undefined;
  return new URL(url).host;
}

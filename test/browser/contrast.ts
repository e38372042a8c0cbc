import type { Locator } from 'playwright-core';

type Colour = readonly [red: number, green: number, blue: number, alpha: number];

/** Globals of the page. This project does not include the types of a browser. */
interface PageElement {
  readonly parentElement: PageElement | null;
}
declare function getComputedStyle(element: PageElement): { readonly color: string; readonly backgroundColor: string };

/** Returns the contrast of a text with its background, from 1 to 21 (WCAG 2.2 requires 4.5 for small texts). */
export async function contrastOf(element: Locator): Promise<number> {
  const [front, ...behind] = await element.evaluate(coloursOf);
  const white: Colour = [255, 255, 255, 1];
  const background = behind.map(parse).reduceRight(over, white);
  const [light, dark] = [luminance(over(background, parse(front ?? ''))), luminance(background)].toSorted(
    (a, b) => b - a,
  );
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

/** Returns the colour of an element, and the backgrounds behind it, the nearest first. Runs in the page. */
function coloursOf(element: PageElement): string[] {
  const colours = [getComputedStyle(element).color];
  for (let at: PageElement | null = element; at !== null; at = at.parentElement) {
    colours.push(getComputedStyle(at).backgroundColor);
  }
  return colours;
}

function parse(css: string): Colour {
  const [red = 0, green = 0, blue = 0, alpha = 1] = [...css.matchAll(/[\d.]+/g)].map(Number);
  return [red, green, blue, alpha];
}

function over(below: Colour, above: Colour): Colour {
  const mix = (at: 0 | 1 | 2): number => above[at] * above[3] + below[at] * (1 - above[3]);
  return [mix(0), mix(1), mix(2), 1];
}

function luminance([red, green, blue]: Colour): number {
  const [r = 0, g = 0, b = 0] = [red, green, blue].map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

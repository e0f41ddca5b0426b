// Draws sequence diagrams, text to SVG: node draw.mjs FOLDER draws each .mmd of the folder beside it. CHROMIUM names the browser.
//
// mermaid parses the text and lays it out. What it draws is written anew here, with what is needed and no more: no script, no
// foreignObject, no reference to anything outside.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

import { chromium } from 'playwright-core'

const FONT = 'Liberation Sans, Arial, Helvetica, sans-serif'
const SIZE = 13

// Beside a text, at least.
const MARGIN = 3

// A ground of its own, so that it is readable on a dark page too. Yellow is what the resource server does.
const STYLE = `
text{font:${SIZE}px ${FONT};fill:#1f2328}
.c{text-anchor:middle}
.m{paint-order:stroke;stroke:#fff;stroke-width:4px}
.b{font-weight:700}
.n{font-size:11px;font-weight:700;fill:#fff}
path,rect,polygon{fill:none;stroke:#57606a}
.l{stroke:#afb8c1}
.a{fill:#f6f8fa}
.r{fill:#fff3c4;stroke:#9a6700}
.o{fill:#eef1f4;stroke:#afb8c1}
.d{stroke-dasharray:4 3}
.h{fill:#57606a;stroke:none}
circle{fill:#57606a}`

const SETTINGS = {
  startOnLoad: false,
  securityLevel: 'strict',
  theme: 'base',
  deterministicIds: true,
  fontFamily: FONT,
  sequence: {
    width: 112,
    height: 46,
    actorMargin: 26,
    wrapPadding: 6,
    diagramMarginX: 12,
    diagramMarginY: 12,
    boxMargin: 12,
    boxTextMargin: 4,
    noteMargin: 8,
    messageMargin: 26,
    noteAlign: 'left',
    actorFontSize: SIZE,
    actorFontFamily: FONT,
    actorFontWeight: 700,
    messageFontSize: SIZE,
    messageFontFamily: FONT,
    noteFontSize: SIZE,
    noteFontFamily: FONT,
  },
}

// In the page: what mermaid has drawn, as shapes in the order in which they cover each other.
function read({ source, settings, ofServer }) {
  mermaid.initialize(settings)
  return mermaid.render('drawing', source).then(({ svg }) => {
    document.body.innerHTML = svg
    const drawing = document.querySelector('svg')
    const number = (element, name) => Number(element.getAttribute(name))
    const shapes = []
    const add = (layer, shape) => shapes.push({ layer, ...shape })
    const text = (element, layer, classes, up = 0, within = null) => {
      const size = Number.parseFloat(getComputedStyle(element).fontSize)
      const inner = element.querySelector('tspan')
      const dy = (element.getAttribute('dy') === '1em' ? size : 0) + (inner ? number(inner, 'dy') : 0)
      // Where the letters stand, of a line that was placed by its middle.
      const middle = element.hasAttribute('dominant-baseline') ? 0.35 * size : 0
      const y = number(element, 'y') + dy + middle - up
      add(layer, { kind: 'text', x: number(element, 'x'), y, classes, content: element.textContent, within })
    }
    const sides = rect => [number(rect, 'x'), number(rect, 'x') + number(rect, 'width')]
    let notes = 0
    for (const element of drawing.querySelectorAll('line, rect, polygon, path, text, circle')) {
      const is = name => element.classList.contains(name)
      const box = () => ({ x: number(element, 'x'), y: number(element, 'y'), width: number(element, 'width'), height: number(element, 'height') })
      const ends = ['x1', 'y1', 'x2', 'y2'].map(name => number(element, name))
      const group = element.closest('[data-et]')
      if (element.closest('defs')) continue
      if (is('actor-line')) add(0, { kind: 'line', ends, classes: 'l' })
      else if (is('actor') && element.tagName === 'rect') add(4, { kind: 'rect', ...box(), classes: element.getAttribute('name') === 'RS' ? 'r' : 'a' })
      else if (is('actor')) text(element, 5, 'c b')
      else if (is('note')) add(2, { kind: 'rect', ...box(), classes: ofServer[notes++] ? 'r' : 'o' })
      else if (is('noteText')) text(element, 3, ofServer[notes - 1] && element.parentNode.querySelector('text') === element ? 'b' : '', 3, sides(element.parentNode.querySelector('rect')))
      else if (is('loopLine')) add(1, { kind: 'line', ends, classes: element.style.strokeDasharray ? 'd' : '' })
      else if (is('labelBox')) add(1, { kind: 'polygon', points: element.getAttribute('points'), classes: 'o' })
      else if (is('labelText')) text(element, 3, 'c b')
      else if (is('loopText') || is('sectionTitle')) text(element, 3, 'c m b')
      else if (is('messageText')) text(element, 3, 'c m')
      else if (element.tagName === 'line' && (is('messageLine0') || is('messageLine1'))) add(2, { kind: 'arrow', ends, classes: is('messageLine1') ? 'd' : '' })
      else if (element.hasAttribute('marker-start')) add(4, { kind: 'circle', x: ends[0], y: ends[1] })
      else if (is('sequenceNumber')) text(element, 5, 'c n')
      else throw new Error(`no shape that is known here: ${element.outerHTML} in ${group?.outerHTML}`)
    }
    if (notes !== ofServer.length) throw new Error(`${notes} notes are drawn of ${ofServer.length}`)
    const { x, y, width, height } = drawing.viewBox.baseVal
    return {
      title: drawing.querySelector('title').textContent,
      about: drawing.querySelector('desc').textContent,
      view: [x, y, width, height],
      shapes: shapes.sort((one, other) => one.layer - other.layer),
    }
  })
}

// In the page: how long each text is, in the style that it gets.
function measure(svg) {
  document.body.innerHTML = svg
  return [...document.querySelectorAll('text')].map(text => text.getComputedTextLength())
}

// A text that does not fit is an error: it needs another line, or a wider note.
function check({ view: [left, , width], shapes }, lengths) {
  const texts = lengths.values()
  for (const { kind, content, x, classes, within } of shapes) {
    if (kind !== 'text') continue
    const length = texts.next().value
    const start = classes.startsWith('c') ? x - length / 2 : x
    const [from, to] = within ?? [left, left + width]
    if (start < from + MARGIN || start + length > to - MARGIN) throw new Error(`no room for: ${content}`)
  }
}

const round = number => String(Math.round(number * 10) / 10)
const escape = text => text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
const attribute = (name, value) => (value ? ` ${name}="${value}"` : '')

function element(shape, length) {
  const classes = attribute('class', shape.classes)
  switch (shape.kind) {
    case 'text': {
      // So that it is as long with another font.
      const stretch = length ? ` textLength="${round(length)}" lengthAdjust="spacingAndGlyphs"` : ''
      return `<text x="${round(shape.x)}" y="${round(shape.y)}"${classes}${stretch}>${escape(shape.content)}</text>`
    }
    case 'rect':
      return `<rect x="${round(shape.x)}" y="${round(shape.y)}" width="${round(shape.width)}" height="${round(shape.height)}" rx="3"${classes}/>`
    case 'polygon':
      return `<polygon points="${shape.points}"${classes}/>`
    case 'circle':
      return `<circle cx="${round(shape.x)}" cy="${round(shape.y)}" r="9"/>`
    case 'line': {
      const [x1, y1, x2, y2] = shape.ends.map(round)
      return `<path d="M${x1} ${y1}L${x2} ${y2}"${classes}/>`
    }
    case 'arrow': {
      const [x1, y1, x2, y2] = shape.ends
      const back = x1 < x2 ? -9 : 9
      const head = `<path d="M${round(x2)} ${round(y2)}l${back} -5v10z" class="h"/>`
      return `<path d="M${round(x1)} ${round(y1)}H${round(x2 + back)}"${classes}/>${head}`
    }
  }
}

function write({ title, about, view, shapes }, hash, lengths = []) {
  const [x, y, width, height] = view.map(round)
  const texts = lengths.values()
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${view.map(round).join(' ')}" role="img" aria-labelledby="t d" data-source-sha256="${hash}">
<title id="t">${escape(title)}</title>
<desc id="d">${escape(about)}</desc>
<style>${STYLE}
</style>
<rect x="${x}" y="${y}" width="${width}" height="${height}" style="fill:#fff;stroke:none"/>
${shapes.map(shape => element(shape, shape.kind === 'text' ? texts.next().value : 0)).join('\n')}
</svg>
`
}

const folder = process.argv[2]
const bundle = join(dirname(createRequire(import.meta.url).resolve('mermaid/package.json')), 'dist/mermaid.min.js')
const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  headless: true,
  // As root, Chromium does not start with its sandbox. What it shows is text of this repository.
  args: process.getuid?.() === 0 ? ['--no-sandbox', ...quiet] : quiet,
})
try {
  const page = await browser.newPage()
  await page.route('**', route => route.abort())
  await page.setContent('<!doctype html><title>diagrams</title>')
  await page.addScriptTag({ path: bundle })
  if (!(await page.evaluate(isThere, FONT.split(',')[0]))) {
    throw new Error(`the font ${FONT.split(',')[0]} is missing, and others are not as wide`)
  }
  for (const name of readdirSync(folder).filter(name => name.endsWith('.mmd')).sort()) {
    const source = readFileSync(join(folder, name), 'utf8')
    const hash = createHash('sha256').update(source).digest('hex')
    // A note that stands over the resource server says what that one does.
    const ofServer = [...source.matchAll(/^ *note (?:over|left of|right of) ([^:]*):/gim)].map(([, who]) => /\bRS\b/.test(who))
    const drawn = await page.evaluate(read, { source, settings: SETTINGS, ofServer })
    const lengths = await page.evaluate(measure, write(drawn, hash))
    check(drawn, lengths)
    const target = join(folder, name.replace(/mmd$/, 'svg'))
    writeFileSync(target, write(drawn, hash, lengths))
    console.log(`drawn: ${name}, ${round(drawn.view[2])} x ${round(drawn.view[3])}`)
  }
} finally {
  await browser.close()
}

// In the page: whether the font is there, by comparing it with one that no machine has.
function isThere(font) {
  const context = document.createElement('canvas').getContext('2d')
  const width = family => {
    context.font = `40px ${family}, monospace`
    return context.measureText('Where the resource server looks').width
  }
  return width(font) !== width('no-such-font')
}

/* The page that checks a receipt: reads the file here, says what was found. See receipt.js. */
import { parseFingerprint, verifyReceipt } from './receipt.js'

const pick = (template, attribute) => Object.fromEntries(
  Array.from(document.getElementById(template).content.querySelectorAll(`[data-${attribute}]`),
    (each) => [each.dataset[attribute], each.textContent]),
)
const sentences = pick('sentences', 'code')
const words = pick('words', 'name')
const form = document.getElementById('verify')
const report = document.getElementById('report')

/* An element with text and children; nothing of a file is ever read as markup. */
const element = (name, { text, ...attributes } = {}, ...children) => {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  if (text !== undefined) made.textContent = text
  made.append(...children)
  return made
}

const heading = (text) => element('h2', { text })
const fact = (name, ...values) => [
  element('dt', { text: words[name] }),
  element('dd', {}, ...values.map((value) => element('div', {}, value))),
]
const code = (text) => element('code', { text })
const place = ({ origin, index }) => `${origin}/${index}`

const verdict = ({ kind, passed, pinned }) => {
  if (!passed) return element('p', { class: 'alert alert-error', text: words.failed })
  const accuses = kind !== 'renkei-receipt/1'
  return pinned
    ? element('p', { class: 'alert alert-success', text: accuses ? words.accused : words.pinned })
    : element('p', { class: 'alert alert-warning', text: accuses ? words['accused-unpinned'] : words.unpinned })
}

const proven = ({ kind, passed, said }) => {
  if (!passed) return []
  const facts = element('dl', { class: 'facts' })
  if (said.record) facts.append(...fact('record', code(said.record)))
  if (said.content) facts.append(...fact('content', element('pre', { text: JSON.stringify(said.content, null, 2) })))
  if (said.reason) facts.append(...fact('reason', said.reason))
  if (said.approvals) {
    facts.append(...fact('approvals', ...said.approvals.map(
      (each) => `${each.party} · ${each.officer || words.undisclosed} · ${each.issued} · ${place(each)}`,
    )))
  }
  if (said.seals) facts.append(...fact('seals', ...said.seals.map(place)))
  if (said.checkpoints) {
    facts.append(...fact('checkpoints', ...said.checkpoints.map(({ size, root }) => code(`${size} ${root}`))))
  }
  if (said.version) facts.append(...fact('version', code(said.version)))
  facts.append(...fact('logs', ...said.logs))
  return [heading(kind === 'renkei-receipt/1' ? words.said : words.evidence), facts]
}

const state = (passed) => {
  if (passed === null) return element('span', { class: 'badge badge-warning', text: words.compare })
  return passed
    ? element('span', { class: 'badge badge-good', text: words.holds })
    : element('span', { class: 'badge badge-bad', text: words.fails })
}

const row = ({ code: name, subject, passed, found }) => {
  const about = element('td', {}, document.createTextNode(sentences[name]))
  if (subject) about.append(' ', code(subject))
  if (name === 'fingerprint' && found) about.append(element('p', { class: 'mono', text: found }))
  return element('tr', { 'data-code': name, 'data-passed': String(passed) }, element('td', {}, state(passed)), about)
}
const table = (name, checks) => element('div',
  { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': name },
  element('table', { class: 'table-stack' }, element('tbody', {}, ...checks.map(row))))

/* What the reader must act on stands open; what holds is one line that opens. */
const checked = ({ checks }) => {
  const good = checks.filter((check) => check.passed)
  const other = checks.filter((check) => !check.passed)
  const shown = [heading(words.checks)]
  if (other.length) shown.push(table(words.checks, other))
  if (good.length) {
    const summary = element('summary', {}, state(true), ` ${good.length} / ${checks.length}`)
    shown.push(element('details', {}, summary, table(words.holds, good)))
  }
  return shown
}

const show = (result) => {
  report.replaceChildren(verdict(result), ...proven(result), ...checked(result))
  report.dataset.passed = String(result.passed)
  report.dataset.pinned = String(result.pinned)
}

/* Fingerprints stand apart by an empty line; one that is written on one line needs none. */
const readPins = (text) => {
  const parts = text.split(/\n\s*\n/).map((part) => part.trim()).filter(Boolean)
  const whole = parts.map(parseFingerprint)
  if (!whole.includes(null)) return whole
  return parts.flatMap((part) => part.split('\n')).map(parseFingerprint)
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const [file] = form.elements.receipt.files
  const pins = readPins(form.elements.pins.value)
  const wrong = pins.includes(null)
  document.getElementById('pins-error').hidden = !wrong
  form.elements.pins.setAttribute('aria-invalid', String(wrong))
  if (wrong || !file) return
  report.hidden = false
  report.replaceChildren(element('p', { text: words.checking }))
  await new Promise((resolve) => { setTimeout(resolve) }) // lets the page say so first
  try {
    show(verifyReceipt(new Uint8Array(await file.arrayBuffer()), pins.length ? pins : null))
  } catch {
    report.replaceChildren(element('p', { class: 'alert alert-error', text: words.unreadable }))
  }
  report.focus()
})

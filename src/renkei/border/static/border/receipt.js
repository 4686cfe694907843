/* Checks a receipt, or evidence of misconduct, in the browser: no request leaves this page.

   The same checks in the same order as engine/_receipt.py, written anew from the formats: RFC 8785,
   C2SP signed-note, tlog-checkpoint, tlog-cosignature, RFC 9162, and this node's statements. A test
   compares the two on good and on spoiled files. */
import { ed25519, ml_dsa44, sha256 } from './vendor/noble.js'

const ED25519 = 'ed25519'
const ML_DSA_44 = 'ml-dsa-44'
const KEM = 'MLKEM768-X25519'
const KEM_BYTES = 1216
const SIGNATURE_BYTES = new Map([[ED25519, 64], [ML_DSA_44, 2420]])
const NOTE_ED25519 = 1
const COSIGNATURE_ED25519 = 4
const COSIGNATURE_ML_DSA_44 = 6
const ROLES = ['log', 'witness', 'mirror', 'sealing', 'recovery']
const MOST_BYTES = 1024 * 1024
const LONGEST_ENTRY = 65535
const DEEPEST = 32
const LARGEST_SIZE = (1n << 63n) - 1n

const ORIGIN = /^[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~-]+)*$/
const HASH = /^[0-9a-f]{64}$/
const MOMENT = /^(?!0000)\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/
const RECORD = /^([a-z][a-z0-9_.]{0,60})\/([a-z][a-z0-9-]{0,30})\/([A-Za-z0-9][A-Za-z0-9._-]{0,80})$/
const CONTROL = /[\x00-\x09\x0b-\x1f]/

class Refused extends Error {}
const refuse = (why) => { throw new Refused(why) }
const require = (holds, why) => { if (!holds) refuse(why) }

/* Bytes */

const encoder = new TextEncoder()
const utf8 = (text) => encoder.encode(text)
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const same = (one, two) => one.length === two.length && one.every((byte, at) => byte === two[at])
const concat = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) { whole.set(part, at); at += part.length }
  return whole
}
const u64 = (number) => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number))
  return bytes
}
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
const base64 = (text, length) => {
  require(typeof text === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0, 'base64')
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  require(toBase64(bytes) === text, 'base64 has one way to be written')
  require(length === undefined || bytes.length === length, `${bytes.length} bytes, expected ${length}`)
  return bytes
}

/* JSON with one spelling */

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const hasExactly = (value, names) => isObject(value) && Object.keys(value).sort().join() === [...names].sort().join()

const spell = (value, depth = DEEPEST) => {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') {
    require(!/\p{Surrogate}/u.test(value), 'half a surrogate pair')
    return JSON.stringify(value)
  }
  if (typeof value === 'number') {
    require(Number.isSafeInteger(value) && !Object.is(value, -0), 'a number that is not whole')
    return String(value)
  }
  require(depth > 0, 'nested too deeply')
  if (Array.isArray(value)) return `[${value.map((item) => spell(item, depth - 1)).join()}]`
  const names = Object.keys(value).sort() // by UTF-16 units, as RFC 8785 asks
  return `{${names.map((name) => `${spell(name)}:${spell(value[name], depth - 1)}`).join()}}`
}

const readCanonical = (text, longest) => {
  require(utf8(text).length <= longest, `more than ${longest} bytes`)
  let value
  try { value = JSON.parse(text) } catch (error) { refuse(`not JSON: ${error.message}`) }
  require(spell(value) === text, 'not in canonical form (RFC 8785)')
  return value
}

/* Keys */

const keyOf = (alg, raw) => ({ alg, raw, kid: hex(sha256(concat(utf8(`${alg}\n`), raw))).slice(0, 32) })
const pairOf = (one, two) => ({ keys: [keyOf(ED25519, one), keyOf(ML_DSA_44, two)] })
const kidsOf = (keys) => keys.keys.map((key) => key.kid)

const verifies = (alg, raw, signature, message) => {
  try {
    return alg === ED25519
      ? ed25519.verify(signature, message, raw, { zip215: false })
      : ml_dsa44.verify(signature, message, raw)
  } catch { return false }
}

const readPair = (document) => {
  require(hasExactly(document, [ED25519, ML_DSA_44]), 'a pair of keys')
  return pairOf(base64(document[ED25519], 32), base64(document[ML_DSA_44], 1312))
}

const readSealing = (document) => {
  require(hasExactly(document, [KEM]), 'a key to seal to')
  return { keys: [keyOf(KEM, base64(document[KEM], KEM_BYTES))] }
}

/* Verifier keys and notes (C2SP signed-note, tlog-cosignature) */

const vkeyOf = (name, kind, raw) => {
  const material = concat(Uint8Array.of(kind), raw)
  const id = hex(sha256(concat(utf8(`${name}\n`), material)).slice(0, 4))
  return { name, kind, raw, id, text: `${name}+${id}+${toBase64(material)}` }
}
const vkeysOf = (role, name, pair) => [
  vkeyOf(name, role === 'witness' || role === 'mirror' ? COSIGNATURE_ED25519 : NOTE_ED25519, pair.keys[0].raw),
  vkeyOf(name, COSIGNATURE_ML_DSA_44, pair.keys[1].raw),
]

const readVkeys = (texts, name, role) => {
  require(Array.isArray(texts) && texts.length === 2 && texts.every((text) => typeof text === 'string'), role)
  const raws = texts.map((text, at) => {
    const encoded = text.slice(text.indexOf('+', text.indexOf('+') + 1) + 1)
    return base64(encoded, 1 + (at ? 1312 : 32)).slice(1)
  })
  const pair = pairOf(...raws)
  require(vkeysOf(role, name, pair).every((key, at) => key.text === texts[at]), `${role}: verifier keys of ${name}`)
  return pair
}

const readCheckpoint = (text) => {
  const lines = text.split('\n')
  require(lines.pop() === '' && lines.length >= 3 && lines.every(Boolean) && !CONTROL.test(text), 'a checkpoint')
  const [origin, decimal, root] = lines
  require(utf8(origin).length <= 255 && /^(0|[1-9][0-9]{0,18})$/.test(decimal), 'a checkpoint')
  const size = BigInt(decimal)
  require(size <= LARGEST_SIZE, 'a size')
  return { origin, size, root: base64(root, 32), text }
}

const readNote = (note) => {
  require(utf8(note).length <= 512 * 1024 && !CONTROL.test(note), 'a note')
  const at = note.lastIndexOf('\n\n')
  require(at >= 0, 'a note')
  const lines = note.slice(at + 2).split('\n')
  require(lines.pop() === '' && lines.length > 0 && lines.length <= 64, 'signature lines')
  const signatures = lines.map((line) => {
    const [dash, name, encoded, ...rest] = line.split(' ')
    require(dash === '\u2014' && name && !rest.length, 'a signature line')
    require(utf8(name).length <= 255 && !name.includes('+'), 'a name')
    const bytes = base64(encoded)
    require(bytes.length > 4, 'a signature')
    return { name, id: hex(bytes.slice(0, 4)), bytes: bytes.slice(4) }
  })
  return { text: note.slice(0, at + 1), signatures }
}

const noteVerifies = (key, text, signature) => {
  if (key.kind === NOTE_ED25519) return verifies(ED25519, key.raw, signature, utf8(text))
  if (signature.length < 8) return false
  const stamp = signature.slice(0, 8)
  const seconds = new DataView(stamp.buffer).getBigUint64(0)
  if (seconds > LARGEST_SIZE) return false
  const rest = signature.slice(8)
  if (key.kind === COSIGNATURE_ED25519) {
    return verifies(ED25519, key.raw, rest, utf8(`cosignature/v1\ntime ${seconds}\n${text}`))
  }
  const { origin, size, root } = readCheckpoint(text)
  const short = (name) => concat(Uint8Array.of(utf8(name).length), utf8(name))
  const signed = concat(utf8('subtree/v1\n\0'), short(key.name), stamp, short(origin), u64(0), u64(size), root)
  return verifies(ML_DSA_44, key.raw, rest, signed)
}

/* Opens a checkpoint: every line of a known key must be its; the log must have signed twice. */
const openCheckpoint = (note, origin, keys) => {
  const { text, signatures } = readNote(note)
  const signed = new Set()
  for (const each of signatures) {
    const key = keys.find((known) => known.name === each.name && known.id === each.id)
    if (!key) continue
    require(noteVerifies(key, text, each.bytes), `the signature by ${key.name} is not its`)
    signed.add(key)
  }
  const checkpoint = readCheckpoint(text)
  require(checkpoint.origin === origin, `a checkpoint of ${checkpoint.origin}`)
  for (const kind of [NOTE_ED25519, COSIGNATURE_ML_DSA_44]) {
    require([...signed].some((key) => key.name === origin && key.kind === kind), `not signed with type ${kind}`)
  }
  return { checkpoint, signed }
}

/* The Merkle tree (RFC 9162) */

const leafHash = (entry) => sha256(concat(Uint8Array.of(0), entry))
const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right))

const verifyInclusion = (index, size, leaf, path, root) => {
  let at = BigInt(index)
  require(at >= 0n && at < size, `no entry ${index}`)
  let last = size - 1n
  let found = leaf
  for (const sibling of path) {
    require(last !== 0n, 'the proof is too long')
    if (at & 1n || at === last) {
      found = nodeHash(sibling, found)
      while (!(at & 1n) && at) { at >>= 1n; last >>= 1n }
    } else {
      found = nodeHash(found, sibling)
    }
    at >>= 1n
    last >>= 1n
  }
  require(last === 0n && same(found, root), 'the proof does not lead to the root')
}

const consistencyRoots = (oldSize, newSize, path) => {
  require(oldSize > 0n && oldSize < newSize && path.length > 0, 'sizes')
  let at = oldSize - 1n
  let last = newSize - 1n
  while (at & 1n) { at >>= 1n; last >>= 1n }
  let oldRoot = path[0]
  let newRoot = path[0]
  for (const sibling of path.slice(1)) {
    require(last !== 0n, 'the path is too long')
    if (at & 1n || at === last) {
      oldRoot = nodeHash(sibling, oldRoot)
      newRoot = nodeHash(sibling, newRoot)
      while (!(at & 1n) && at) { at >>= 1n; last >>= 1n }
    } else {
      newRoot = nodeHash(newRoot, sibling)
    }
    at >>= 1n
    last >>= 1n
  }
  require(last === 0n, 'the path is too short')
  return [oldRoot, newRoot]
}

/* Statements */

const isMoment = (text) => {
  if (typeof text !== 'string' || !MOMENT.test(text)) return false
  const date = new Date(text)
  return !Number.isNaN(date.getTime()) && date.toISOString() === text.replace('Z', '.000Z')
}
const matches = (text, form, longest) => typeof text === 'string' && text.length <= longest && form.test(text)
const isOrigin = (text) => matches(text, ORIGIN, 200)
const codePoints = (text) => Array.from(text).length

const FIELDS = ['body', 'commitment', 'id', 'issued', 'issuer', 'parent', 'record', 'refs', 'signatures', 'type', 'version']

const readStatement = (text) => {
  const said = readCanonical(text, LONGEST_ENTRY)
  require(isObject(said), 'a statement')
  const version = typeof said.version === 'string' && /^([0-9]{1,4})\.([0-9]{1,4})$/.exec(said.version)
  require(version && version[1] === '1', 'the version')
  for (const name of ['id', 'issued', 'issuer', 'signatures', 'type']) require(name in said, `no ${name}`)
  require(Number(version[2]) > 0 || Object.keys(said).every((name) => FIELDS.includes(name)), 'an unknown field')
  require(matches(said.type, /^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+$/, 100), 'the type')
  require(matches(said.id, /^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 100), 'the id')
  require(isOrigin(said.issuer), 'the issuer')
  require(isMoment(said.issued), 'the time')
  if ('record' in said) {
    require(typeof said.record === 'string' && said.record && codePoints(said.record) <= 200, 'the record')
    require(!/[\x00-\x1f\x7f]/.test(said.record), 'the record')
  }
  for (const name of ['parent', 'commitment']) require(!(name in said) || matches(said[name], HASH, 64), name)
  require(('body' in said) !== ('commitment' in said), 'a body or a commitment')
  require(!('body' in said) || isObject(said.body), 'the body')
  if ('refs' in said) {
    require(Array.isArray(said.refs) && said.refs.length > 0 && said.refs.length <= 64, 'refs')
    for (const ref of said.refs) {
      require(hasExactly(ref, ['origin', 'index', 'leaf']) && isOrigin(ref.origin), 'refs')
      require(Number.isSafeInteger(ref.index) && ref.index >= 0 && matches(ref.leaf, HASH, 64), 'refs')
    }
  }
  const { signatures } = said
  require(Array.isArray(signatures) && signatures.length > 0 && signatures.length <= 16, 'signatures')
  const read = signatures.map((item) => {
    require(hasExactly(item, ['kid', 'alg', 'sig']), 'a signature')
    require(matches(item.kid, /^[0-9a-f]{32}$/, 32) && matches(item.alg, /^[a-z0-9][a-z0-9-]{0,31}$/, 32), 'a signature')
    return { kid: item.kid, alg: item.alg, bytes: base64(item.sig, SIGNATURE_BYTES.get(item.alg)) }
  })
  require(new Set(read.map((item) => item.kid)).size === read.length, 'one key signs once')
  const unsigned = Object.fromEntries(Object.entries(said).filter(([name]) => name !== 'signatures'))
  return {
    said,
    signatures: read,
    payload: utf8(`renkei-statement/v1\n\0${spell(unsigned)}`),
    leaf: hex(leafHash(utf8(text))),
  }
}

/* Both algorithms of one of these pairs; a known key whose signature fails refuses the whole. */
const verifyStatement = (statement, pairs) => {
  const known = new Map(pairs.flatMap((pair) => pair.keys).map((key) => [key.kid, key]))
  const good = new Set()
  for (const { kid, alg, bytes } of statement.signatures) {
    const key = known.get(kid)
    if (!key) continue
    require(alg === key.alg && verifies(alg, key.raw, bytes, statement.payload), `the signature of key ${kid}`)
    good.add(kid)
  }
  require(pairs.some((pair) => pair.keys.every((key) => good.has(key.kid))), 'not signed with both algorithms')
}

/* Identities and the history of keys */

const readIdentity = (document) => {
  const fields = ['kind', 'log', 'mirror', 'name', 'origin', 'party', 'protocols', 'recovery', 'sealing', 'witness']
  require(hasExactly(document, fields) && document.kind === 'renkei-identity/1', 'an identity')
  const { origin, party, name, protocols } = document
  require(isOrigin(origin), 'the origin')
  require(matches(party, /^[A-Z]{2}$/, 2), 'the party')
  require(typeof name === 'string' && name && codePoints(name) <= 200, 'the name')
  require(!/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(name), 'the name')
  require(Array.isArray(protocols) && protocols.length > 0 && protocols.length <= 16, 'protocols')
  require(protocols.every((each) => matches(each, /^[0-9]{1,4}\.[0-9]{1,4}$/, 9)), 'protocols')
  const keys = {
    log: readVkeys(document.log, origin, 'log'),
    witness: readVkeys(document.witness, `${origin}/witness`, 'witness'),
    mirror: readVkeys(document.mirror, `${origin}/mirror`, 'mirror'),
    recovery: readPair(document.recovery),
    sealing: readSealing(document.sealing),
  }
  const kids = ['log', 'witness', 'mirror', 'recovery'].flatMap((role) => kidsOf(keys[role]))
  require(new Set(kids).size === kids.length, 'one key for each role')
  const fingerprint = hex(sha256(utf8(`renkei-identity/v1\n\0${spell(document)}`)))
  return { document, origin, party, name, keys, fingerprint }
}

class History {
  constructor (identity) {
    this.identity = identity
    this.last = -1
    this.spans = ROLES.map((role) => ({
      role,
      name: role === 'witness' || role === 'mirror' ? `${identity.origin}/${role}` : identity.origin,
      keys: identity.keys[role],
      start: 0,
      end: Infinity,
    }))
  }

  holding (role, index) {
    return this.spans.filter((span) => span.role === role && span.start <= index && index < span.end).reverse()
  }

  pairs (role, index) { return this.holding(role, index).map((span) => span.keys) }

  /* Of a checkpoint of that size: keys of the last entry or of the next may sign it. */
  vkeys (role, size) {
    const next = Number(size)
    const last = next > 0 ? next - 1 : 0
    const holds = (span, index) => span.start <= index && index < span.end
    return this.spans
      .filter((span) => span.role === role && (holds(span, next) || holds(span, last)))
      .reverse()
      .map((span) => vkeysOf(role, span.name, span.keys))
  }

  newest (role) { return this.spans.findLast((span) => span.role === role && span.end === Infinity) }

  after (index, statement) {
    const { said } = statement
    const body = said.body ?? {}
    require(said.issuer === this.identity.origin, 'another issuer')
    require(index > this.last, 'out of order')
    if (said.type === 'border.node.founded') {
      require(index === 0 && spell(body) === spell({ identity: this.identity.document }), 'another founding')
      return
    }
    require(ROLES.includes(body.role), 'the role')
    require(typeof body.reason === 'string' && codePoints(body.reason) <= 1000, 'the reason')
    if (said.type === 'border.key.rotated') this.rotate(index, statement, body)
    else this.revoke(index, statement, body)
    this.last = index
  }

  rotate (index, statement, body) {
    const { role, overlap } = body
    const cosigner = role === 'witness' || role === 'mirror'
    const fields = ['role', 'old', 'new', 'overlap', 'reason', ...(cosigner ? ['name'] : [])]
    require(hasExactly(body, fields), 'the fields')
    require(Number.isSafeInteger(overlap) && overlap >= 0 && overlap <= 1000000, 'the overlap')
    const old = this.newest(role)
    require(spell(body.old) === spell(kidsOf(old.keys)), 'the old keys')
    const keys = role === 'sealing' ? readSealing(body.new) : readPair(body.new)
    const used = new Set(this.spans.flatMap((span) => kidsOf(span.keys)))
    require(kidsOf(keys).every((kid) => !used.has(kid)), 'keys that were used')
    let { name } = old
    if (cosigner) {
      name = body.name
      const prefix = `${this.identity.origin}/${role}/`
      require(typeof name === 'string' && name.startsWith(prefix), 'the name')
      require(/^[0-9]{1,6}$/.test(name.slice(prefix.length)), 'the name')
      require(this.spans.every((span) => span.name !== name), 'the name')
    }
    const signers = [this.pairs('log', index)[0], this.pairs('recovery', index)[0]]
    if (role !== 'sealing') signers.push(old.keys, keys)
    for (const pair of signers) if (pair) verifyStatement(statement, [pair])
    old.end = index + 1 + overlap
    this.spans.push({ role, name, keys, start: index + 1, end: Infinity })
  }

  revoke (index, statement, body) {
    require(hasExactly(body, ['role', 'keys', 'reason']), 'the fields')
    const span = this.holding(body.role, index).find((each) => spell(kidsOf(each.keys)) === spell(body.keys))
    require(span && span.end !== Infinity, 'the keys to revoke')
    const remaining = this.pairs('log', index).filter((pair) => pair !== span.keys)
    for (const pair of [remaining[0], this.pairs('recovery', index)[0]]) {
      if (pair) verifyStatement(statement, [pair])
    }
    span.end = index + 1
  }
}

const KEY_TYPES = ['border.node.founded', 'border.key.rotated', 'border.key.revoked']
const fold = (identity, entries) => {
  const history = new History(identity)
  entries
    .map(({ index, statement }) => [index, readStatement(statement)])
    .filter(([, statement]) => KEY_TYPES.includes(statement.said.type))
    .sort(([one], [two]) => one - two)
    .forEach(([index, statement]) => history.after(index, statement))
  return history
}

/* Joint acts */

const contentHash = (content) => hex(sha256(utf8(spell(content))))

const readProposal = (proposals) => {
  require(proposals.length === 1, `${proposals.length} proposals`)
  const [{ said }] = proposals
  const body = said.body ?? {}
  const record = RECORD.exec(said.record ?? '')
  require(record, 'the record')
  require(isObject(body.content) && contentHash(body.content) === body.content_hash, 'the content')
  const { parties } = body
  require(Array.isArray(parties) && parties.length > 0 && parties.length <= 32, 'the parties')
  require(parties.every((party) => matches(party, /^[A-Z]{2}$/, 2)), 'the parties')
  require(spell(parties) === spell([...new Set(parties)].sort()), 'the parties')
  require(isMoment(body.expires) && body.expires > said.issued, 'the expiry')
  require(typeof body.reason === 'string' && body.reason.trim() && codePoints(body.reason.trim()) <= 500, 'the reason')
  require(matches(body.officer, HASH, 64), 'the officer')
  return { said, body, act: said.id, home: record[2], parent: said.parent ?? '' }
}

const hasRefs = (said, refs) => refs.every((ref) => (said.refs ?? []).some(
  (each) => each.origin === ref.origin && each.index === ref.index && each.leaf === ref.leaf,
))

const answersTo = (act, said) => {
  const body = said.body ?? {}
  require(body.act === act.act && said.record === act.said.record, 'another act')
  require((said.parent ?? '') === act.parent, 'another version')
  require(body.content_hash === act.body.content_hash, 'another content')
  require(said.issued <= act.body.expires, 'after the expiry')
}

const readApproval = (party, proposed, act, statements) => {
  const given = statements.filter((each) => each.said.type === 'joint.answered' && each.party === party)
  require(given.length === 1, `${given.length} answers`)
  const [{ said }] = given
  require(hasRefs(said, [proposed.ref]), 'the proposal is not referred to')
  answersTo(act, said)
  require(said.body.expires === act.body.expires && said.body.answer === 'approve', 'no approval')
  require(matches(said.body.officer, HASH, 64), 'the officer')
  return given[0]
}

const readSeal = (proposed, act, answers, statements) => {
  const seals = statements.filter((each) => each.said.type === 'joint.sealed')
  require(seals.length === 1, `${seals.length} seals`)
  const [seal] = seals
  answersTo(act, seal.said)
  require(seal.name === act.home, `sealed by ${seal.name}`)
  require(act.body.parties.every((party) => answers.some((each) => each.party === party)), 'an approval is missing')
  require(hasRefs(seal.said, [proposed.ref, ...answers.map((each) => each.ref)]), 'an approval is not referred to')
  return seal
}

/* The file */

const isIndex = (index) => Number.isSafeInteger(index) && index >= 0
const isPath = (path) => Array.isArray(path) && path.length <= 65 && path.every((each) => base64(each, 32))
const isList = (items, most, holds) => Array.isArray(items) && items.length <= most && items.every(holds)
const isText = (text) => typeof text === 'string'

const readFile = (bytes) => {
  require(bytes.length <= MOST_BYTES, `more than ${MOST_BYTES} bytes`)
  let text
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch { refuse('not UTF-8') }
  const file = readCanonical(text, MOST_BYTES)
  require(isObject(file), 'a file')
  if (file.kind === 'renkei-fork/1') {
    require(hasExactly(file, ['kind', 'identity', 'changes', 'first', 'second', 'path']), 'the fields')
    require(isObject(file.identity) && isText(file.first) && isText(file.second) && isPath(file.path), 'the fields')
    require(isList(file.changes, 64, (each) => hasExactly(each, ['index', 'statement']) &&
      isIndex(each.index) && isText(each.statement)), 'the changes')
    return file
  }
  require(['renkei-receipt/1', 'renkei-two-seals/1'].includes(file.kind), 'the kind')
  require(hasExactly(file, ['kind', 'logs', 'disclosed']) && file.logs.length > 0, 'the fields')
  require(isList(file.logs, 32, (log) => hasExactly(log, ['identity', 'checkpoint', 'entries']) &&
    isObject(log.identity) && isText(log.identity.origin) && isText(log.checkpoint) &&
    isList(log.entries, 64, (entry) => hasExactly(entry, ['index', 'path', 'statement']) &&
      isIndex(entry.index) && isPath(entry.path) && isText(entry.statement))), 'the logs')
  require(new Set(file.logs.map((log) => log.identity.origin)).size === file.logs.length, 'a log stands twice')
  require(isList(file.disclosed, 64, (each) => hasExactly(each, ['commitment', 'salt', 'content']) &&
    Object.values(each).every(isText)), 'the disclosed texts')
  return file
}

/* The fingerprint as officers read it: sixteen groups of five digits. */
export const formatFingerprint = (fingerprint) =>
  fingerprint.match(/.{4}/g).map((group) => String(parseInt(group, 16)).padStart(5, '0')).join(' ')

/* 64 hex digits, or nothing. */
export const parseFingerprint = (text) => {
  const bare = text.normalize('NFKC').toLowerCase().replace(/[\s\-‐-―:·.,、]+/g, '').replace(/^sha256/, '')
  if (HASH.test(bare)) return bare
  const groups = /^[0-9]{80}$/.test(bare) ? bare.match(/.{5}/g).map(Number) : []
  if (!groups.length || groups.some((group) => group > 0xffff)) return null
  return groups.map((group) => group.toString(16).padStart(4, '0')).join('')
}

class Checks {
  constructor (pins) { this.pins = pins; this.made = [] }

  add (code, subject, passed, found = '') { this.made.push({ code, subject, passed, found }) }

  run (code, subject, check) {
    try {
      const found = check()
      this.add(code, subject, true)
      return found
    } catch (error) {
      // Whatever a stranger's file makes go wrong is a check that failed.
      this.add(code, subject, false, error instanceof Refused ? error.message : String(error))
      return undefined
    }
  }

  identity (document) {
    let identity
    try { identity = readIdentity(document) } catch (error) {
      this.add('fingerprint', '', false, String(error.message ?? error))
      return undefined
    }
    const shown = formatFingerprint(identity.fingerprint)
    const passed = this.pins ? this.pins.includes(identity.fingerprint) : null
    this.add('fingerprint', identity.origin, passed, shown)
    return passed === false ? undefined : identity
  }
}

const sizeOf = (note) => {
  const line = note.split('\n', 2)[1] ?? ''
  return /^[0-9]{1,19}$/.test(line) ? BigInt(line) : 0n
}

const verifyLog = (checks, log, logs) => {
  const { identity, history, file } = log
  const { origin } = identity
  const size = sizeOf(file.checkpoint)
  const own = history.vkeys('log', size).flat()
  const opened = checks.run('checkpoint', origin, () => openCheckpoint(file.checkpoint, origin, own))
  if (!opened) return []
  for (const other of logs) {
    if (other === log) continue
    checks.run('cosigned', `${origin} < ${other.identity.origin}`, () => {
      const witnesses = other.history.vkeys('witness', sizeOf(other.file.checkpoint))
      const { signed } = openCheckpoint(file.checkpoint, origin, [...own, ...witnesses.flat()])
      require(witnesses.some((pair) => pair.every((key) => signed.has(key))), 'not cosigned with both algorithms')
    })
  }
  const found = []
  for (const entry of file.entries) {
    const place = `${origin}/${entry.index}`
    const said = checks.run('statement', place, () => {
      const statement = readStatement(entry.statement)
      require(statement.said.issuer === origin, 'another issuer')
      verifyStatement(statement, history.pairs('log', entry.index))
      return {
        ...statement,
        ref: { origin, index: entry.index, leaf: statement.leaf },
        party: identity.party,
        name: identity.name,
      }
    })
    const included = checks.run('included', place, () => {
      const { checkpoint } = opened
      const path = entry.path.map((each) => base64(each, 32))
      verifyInclusion(entry.index, checkpoint.size, leafHash(utf8(entry.statement)), path, checkpoint.root)
      return true
    })
    if (said && included) found.push(said)
  }
  return found
}

const verifyLogs = (checks, file) => {
  const logs = []
  for (const item of file.logs) {
    const identity = checks.identity(item.identity)
    if (!identity) continue
    const history = checks.run('keys', identity.origin, () => fold(identity, item.entries))
    if (history) logs.push({ identity, history, file: item })
  }
  return { logs, statements: logs.flatMap((log) => verifyLog(checks, log, logs)) }
}

const verifyAct = (checks, file) => {
  const { logs, statements } = verifyLogs(checks, file)
  const said = { logs: logs.map((log) => log.identity.origin) }
  const proposals = statements.filter((each) => each.said.type === 'joint.proposed')
  const act = checks.run('proposal', '', () => readProposal(proposals))
  if (!act) return said
  const [proposed] = proposals
  const answers = []
  for (const party of act.body.parties) {
    const answer = checks.run('approval', party, () => readApproval(party, proposed, act, statements))
    if (answer) answers.push(answer)
  }
  const seal = checks.run('seal', act.act, () => readSeal(proposed, act, answers, statements))
  const committed = new Set(statements.flatMap((each) => [each.said.commitment, each.said.body?.officer]))
  const shown = new Map()
  for (const { commitment, salt, content } of file.disclosed) {
    checks.run('disclosed', commitment, () => {
      require(hex(sha256(concat(base64(salt, 32), utf8(content)))) === commitment, 'another text')
      require(committed.has(commitment), 'nobody committed to it')
      shown.set(commitment, content)
    })
  }
  return {
    ...said,
    act: act.act,
    record: act.said.record,
    parent: act.parent,
    content: act.body.content,
    content_hash: act.body.content_hash,
    reason: act.body.reason,
    expires: act.body.expires,
    proposed: { origin: proposed.ref.origin, index: proposed.ref.index },
    approvals: answers.map((each) => ({
      party: each.party,
      origin: each.ref.origin,
      index: each.ref.index,
      issued: each.said.issued,
      officer: shown.get(each.said.body.officer) ?? '',
    })),
    version: seal ? seal.ref.leaf : '',
  }
}

const verifyTwoSeals = (checks, file) => {
  const { logs, statements } = verifyLogs(checks, file)
  const seals = statements.filter((each) => each.said.type === 'joint.sealed')
  const said = { logs: logs.map((log) => log.identity.origin) }
  const proven = checks.run('two_seals', '', () => {
    require(seals.length === 2, `${seals.length} seals`)
    const [one, two] = seals
    require(one.said.record && one.said.record === two.said.record, 'two records')
    require(one.said.parent === two.said.parent && one.ref.origin === two.ref.origin, 'two versions')
    require(one.ref.leaf !== two.ref.leaf, 'one seal')
    return true
  })
  if (!proven) return said
  const [one] = seals
  return {
    ...said,
    record: one.said.record,
    parent: one.said.parent ?? '',
    seals: seals.map((each) => ({ origin: each.ref.origin, index: each.ref.index })),
  }
}

const verifyFork = (checks, file) => {
  const identity = checks.identity(file.identity)
  if (!identity) return {}
  const history = checks.run('keys', identity.origin, () => fold(identity, file.changes))
  if (!history) return {}
  const pair = checks.run('fork', identity.origin, () => {
    const keys = [file.first, file.second].flatMap((note) => history.vkeys('log', sizeOf(note)).flat())
    const first = openCheckpoint(file.first, identity.origin, keys).checkpoint
    const second = openCheckpoint(file.second, identity.origin, keys).checkpoint
    const path = file.path.map((each) => base64(each, 32))
    if (first.size === second.size) {
      require(!same(first.root, second.root) && !path.length, 'the checkpoints can both be true')
    } else {
      const [oldRoot, newRoot] = consistencyRoots(first.size, second.size, path)
      require(same(newRoot, second.root) && !same(oldRoot, first.root), 'the checkpoints can both be true')
    }
    return [first, second]
  })
  if (!pair) return {}
  return {
    logs: [identity.origin],
    checkpoints: pair.map(({ size, root }) => ({ size: Number(size), root: toBase64(root) })),
  }
}

const VERIFY = {
  'renkei-receipt/1': verifyAct,
  'renkei-two-seals/1': verifyTwoSeals,
  'renkei-fork/1': verifyFork,
}

/* Returns {kind, passed, pinned, checks: [{code, subject, passed, found}], said}.

   bytes: of the file. pins: fingerprints of 64 hex digits that the reader knows, or null to be
   shown those of the file, which the reader must compare. */
export const verifyReceipt = (bytes, pins = null) => {
  const checks = new Checks(pins)
  const file = checks.run('file', '', () => readFile(bytes))
  const said = file ? VERIFY[file.kind](checks, file) : {}
  const passed = checks.made.every((check) => check.passed !== false)
  const pinned = passed && checks.made.every((check) => check.passed)
  return { kind: file ? file.kind : '', passed, pinned, checks: checks.made, said }
}

// The few ways in which this page touches the document.

/** An element that index.html has. @param {string} id */
export function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`index.html has no #${id}`)
  return element
}

/** The rows of a table of index.html. @param {string} id */
export function bodyOf(id) {
  const body = byId(id).querySelector('tbody')
  if (body === null) throw new Error(`#${id} has no body`)
  return body
}

/** @param {string} tag @param {Readonly<Record<string, string>>} [attributes] @param {...(Node | string)} content */
export function make(tag, attributes = {}, ...content) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...content)
  return element
}

/** Writes only what changed: whatever reads the page aloud, or is selected in it, is not disturbed. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

/** @param {Element} element @param {string} name @param {string} value */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

/** Shows rows of texts in a table's body, reusing the rows that are there. A cell may bring its class.
 * @typedef {string | Readonly<{ text: string, className: string }>} Cell
 * @param {Element} body @param {readonly (readonly Cell[])[]} rows */
export function setRows(body, rows) {
  while (body.childElementCount > rows.length) body.lastElementChild?.remove()
  while (body.childElementCount < rows.length) body.append(make('tr'))
  for (const [at, cells] of rows.entries()) {
    const row = body.children[at]
    if (row === undefined) continue
    while (row.childElementCount > cells.length) row.lastElementChild?.remove()
    while (row.childElementCount < cells.length) row.append(make('td'))
    for (const [column, cell] of cells.entries()) {
      const element = row.children[column]
      if (element === undefined) continue
      setText(element, typeof cell === 'string' ? cell : cell.text)
      setAttribute(element, 'class', typeof cell === 'string' ? '' : cell.className)
    }
  }
}

import { byId, setText } from './dom.mjs'

/** Explains what the pointer or the focus is on (`data-tip`): stays while either is there, Escape takes it away. */
export function explainOnHoverAndFocus() {
  const tip = byId('tip')
  /** @type {Element | null} */
  let shownFor = null

  const hide = () => {
    shownFor = null
    tip.hidden = true
  }
  /** @param {EventTarget | null} target */
  const show = (target) => {
    const element = target instanceof Element ? target.closest('[data-tip]') : null
    if (element === null) return
    shownFor = element
    setText(tip, element.getAttribute('data-tip') ?? '')
    tip.hidden = false
    place(tip, element.getBoundingClientRect())
  }
  document.addEventListener('pointerover', ({ target }) => {
    if (target === tip) return // the pointer may go onto what it reads
    if (target instanceof Element && target.closest('[data-tip]') !== null) show(target)
    else if (shownFor !== document.activeElement) hide()
  })
  document.addEventListener('focusin', ({ target }) => show(target))
  document.addEventListener('focusout', hide)
  const follow = () => {
    if (shownFor !== null) place(tip, shownFor.getBoundingClientRect())
  }
  document.addEventListener('scroll', follow, { capture: true, passive: true })
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') hide()
  })
}

const MARGIN_PX = 8

/** Below its element, or above where there is no room; never outside. @param {HTMLElement} tip @param {DOMRect} at */
function place(tip, at) {
  const { width, height } = tip.getBoundingClientRect()
  const left = Math.min(Math.max(MARGIN_PX, at.left + at.width / 2 - width / 2), innerWidth - width - MARGIN_PX)
  const isRoomBelow = at.bottom + height + 2 * MARGIN_PX < innerHeight
  tip.style.left = `${Math.round(left)}px`
  tip.style.top = `${Math.round(isRoomBelow ? at.bottom + MARGIN_PX / 2 : at.top - height - MARGIN_PX / 2)}px`
}

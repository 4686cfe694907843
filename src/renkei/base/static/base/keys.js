/* What went wrong with a passkey is said on the page; allauth would tell the console alone. */
document.addEventListener('allauth.error', (event) => {
  const said = document.getElementById('key-problem')
  if (said) {
    event.preventDefault()
    said.hidden = true
    requestAnimationFrame(() => { said.hidden = false }) // said again at a second failure
  }
})

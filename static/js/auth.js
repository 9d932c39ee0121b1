// Sign-in pages: demo sign-ins, a plain word when a passkey fails.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const box = document.getElementById("auth-failed");
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
});
for (const button of document.querySelectorAll("[data-demo]")) {
  button.addEventListener("click", () => {
    const form = document.getElementById("sign-in");
    form.elements.login.value = button.dataset.demo;
    form.elements.password.value = button.dataset.password;
    form.requestSubmit();
  });
}

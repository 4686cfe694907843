"""Sentences of allauth whose Japanese we say better; listed here so that our catalogue keeps them.

Nothing imports this: ``makemessages`` reads it, and ``LOCALE_PATHS`` gives our words precedence.
"""

from renkei.kit.errors import gettext_noop

SENTENCES = (
    gettext_noop(
        "Enabling passwordless operation allows you to sign in using just this key, but imposes "
        "additional requirements such as biometrics or PIN protection."
    ),
    gettext_noop(
        "You cannot generate recovery codes without having two-factor authentication enabled."
    ),
    gettext_noop("An error occurred while attempting to login via your third-party account."),
    gettext_noop("Be patient, you are sending too many requests."),
    gettext_noop("The username and/or password you specified are not correct."),
    gettext_noop("Too many failed login attempts. Try again later."),
    gettext_noop("Authenticator secret"),
    gettext_noop("Authenticator code"),
    gettext_noop("Security key added."),
    gettext_noop("Security key removed."),
    gettext_noop("Remove Security Key"),
    gettext_noop("Are you sure you want to remove this security key?"),
    gettext_noop("You must type the same password each time."),
    gettext_noop("Sign Up Closed"),
    gettext_noop("We are sorry, but the sign up is currently closed."),
)

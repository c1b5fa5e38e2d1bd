"""Tells ``twistd`` that there is a command ``rhocoin``.

Every user's ``twistd`` reads this file, so it holds one name and imports nothing of ours. There must be no
``__init__.py`` beside it or above it: installed, it would overwrite Twisted's own and hide other packages' plugins.
"""

from twisted.application.service import ServiceMaker

rhocoin = ServiceMaker("rhocoin", "rhotwist.service.tap", "A rhotwist node or wallet process", "rhocoin")

"""URLs of the site's own pages, https://docs.djangoproject.com/en/stable/topics/http/urls/."""

from django.conf import settings
from django.urls import path
from django.views.generic import RedirectView

from pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("health/", views.health, name="health"),
    # Browsers find the icon in base.html; feed readers and other programs ask here.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg"), name="favicon"),
]
